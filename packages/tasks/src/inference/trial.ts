import { compile, sizeOf, type Device, type HostTensor, type TensorType, type Trial } from "@heddle/kernels";
import { createZeroModel, splitInputs, textConfigOf, type Architecture, type InputName, type ModelConfig } from "@heddle/transformer";

/** A batch as large as texts usually come, where the first one is not known yet. */
export const USUAL_BATCH = { batchSize: 8, length: 64 };

/** What a writing model reads at once: a prompt. */
export const USUAL_PROMPT = { batchSize: 1, length: 32 };

/** The forward pass of a model like this one on one batch, without scores of a whole vocabulary: zeros as weights, as time does not depend on them. */
export function modelTrial(architecture: Architecture, config: ModelConfig, { batchSize, length }: { batchSize: number; length: number }): Trial {
  const { numHiddenLayers, hiddenSize } = textConfigOf(config);
  return {
    key: `${architecture.name} ${numHiddenLayers} × ${hiddenSize} on ${batchSize} × ${length} tokens`,
    start(device: Device) {
      const model = createZeroModel(device, architecture, config);
      const forward = compile(device, "trial", (tensors) => {
        const { logits, decoder, lastHiddenState } = model.forward(splitInputs(tensors).inputs);
        return { outputs: decoder || !logits ? lastHiddenState : logits };
      });
      const types = Object.entries(architecture.smallestInputs(config)).filter(([name]) => name !== "tokenTypeIds");
      const inputs = Object.fromEntries(types.map(([name, type]) => [name, emptyInput(name === "inputIds" || name === "attentionMask" ? { ...type, shape: [batchSize, length] } : type, name)]));
      return {
        program: forward.program(Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, { dtype: architecture.smallestInputs(config)[name as InputName]!.dtype, shape }]))),
        run: () => forward.run(inputs),
        dispose() {
          forward.dispose();
          model.dispose();
        },
      };
    },
  };
}

/** Token 0, nothing masked, silence. */
function emptyInput({ dtype, shape }: TensorType, name: string): HostTensor {
  const data = dtype === "f32" ? new Float32Array(sizeOf(shape)) : new Int32Array(sizeOf(shape));
  return { shape, data: name === "attentionMask" ? data.fill(1) : data };
}
