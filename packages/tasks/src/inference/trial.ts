import { compile, hostTensor, type Device, type Trial } from "@heddle/kernels";
import { createZeroModel, type Architecture, type ModelConfig } from "@heddle/transformer";

/** A batch as large as texts usually come, where the first one is not known yet. */
export const USUAL_BATCH = { batchSize: 8, length: 64 };

/** What a writing model reads at once: a prompt. */
export const USUAL_PROMPT = { batchSize: 1, length: 32 };

/** The forward pass of a model like this one on one batch, without scores of a whole vocabulary: zeros as weights, as time does not depend on them. */
export function modelTrial(architecture: Architecture, config: ModelConfig, { batchSize, length }: { batchSize: number; length: number }): Trial {
  return {
    key: `${architecture.name} ${config.numHiddenLayers} × ${config.hiddenSize} on ${batchSize} × ${length} tokens`,
    start(device: Device) {
      const model = createZeroModel(device, architecture, config);
      const forward = compile(device, "trial", ({ inputIds, attentionMask }) => {
        const { logits, decoder, lastHiddenState } = model.forward({ inputIds: inputIds!, attentionMask: attentionMask! });
        return { outputs: decoder || !logits ? lastHiddenState : logits };
      });
      const ids = hostTensor(new Int32Array(batchSize * length), [batchSize, length]);
      const inputs = { inputIds: ids, attentionMask: { shape: ids.shape, data: new Int32Array(batchSize * length).fill(1) } };
      return {
        program: forward.program({ inputIds: { dtype: "i32", shape: ids.shape }, attentionMask: { dtype: "i32", shape: ids.shape } }),
        run: () => forward.run(inputs),
        dispose() {
          forward.dispose();
          model.dispose();
        },
      };
    },
  };
}
