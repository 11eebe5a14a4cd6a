import { compile, hostTensor, type Device, type Trial } from "@heddle/kernels";
import { createZeroModel, textConfigOf, type Architecture, type ModelConfig } from "@heddle/transformer";

/** A batch as large as texts usually come, where the first one is not known yet. */
export const USUAL_BATCH = { batchSize: 8, length: 64 };

/** The forward pass of a model like this one on one batch: zeros as weights, as time does not depend on them. */
export function modelTrial(architecture: Architecture, config: ModelConfig, { batchSize, length }: { batchSize: number; length: number }): Trial {
  const { numHiddenLayers, hiddenSize } = textConfigOf(config);
  return {
    key: `${architecture.name} ${numHiddenLayers} × ${hiddenSize} on ${batchSize} × ${length} tokens`,
    start(device: Device) {
      const model = createZeroModel(device, architecture, config);
      const forward = compile(device, "trial", ({ inputIds, attentionMask }) => {
        const { logits, lastHiddenState } = model.forward({ inputIds: inputIds!, attentionMask: attentionMask! });
        return { outputs: logits ?? lastHiddenState };
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
