import { compile, sizeOf, type Device, type HostTensor, type TensorType, type Trial } from "@heddle/kernels";
import { createZeroModel, splitInputs, textConfigOf, type Architecture, type ModelConfig, type quantizedFormats } from "@heddle/transformer";

/** A batch as large as texts usually come, where the first one is not known yet. */
export const USUAL_BATCH = { batchSize: 8, length: 64 };

/** What a writing model reads at once: a prompt. */
export const USUAL_PROMPT = { batchSize: 1, length: 32 };

interface TrialOptions {
  readonly batchSize: number;
  readonly length: number;
  /** The formats of weights that a device of this kind holds in few bits; absent: all are floats. */
  readonly formatsOn?: (kind: Device["kind"]) => ReturnType<typeof quantizedFormats>;
}

/** The forward pass of a model like this one on one batch, without scores of a whole vocabulary: zeros as weights, as time does not depend on them. */
export function modelTrial(architecture: Architecture, config: ModelConfig, { batchSize, length, formatsOn }: TrialOptions): Trial {
  const { numHiddenLayers, hiddenSize } = textConfigOf(config);
  const input = "inputIds" in architecture.smallestInputs(config) ? `${batchSize} × ${length} tokens` : "one input";
  return {
    key: `${architecture.name} ${numHiddenLayers} × ${hiddenSize}${formatsOn?.("webgpu").size ? " in few bits" : ""} on ${input}`,
    start(device: Device) {
      const model = createZeroModel(device, architecture, config, formatsOn?.(device.kind));
      const forward = compile(device, "trial", (tensors) => {
        const { logits, decoder, lastHiddenState } = model.forward(splitInputs(tensors).inputs);
        return { outputs: decoder || !logits ? lastHiddenState : logits };
      });
      const types = inputTypes(architecture.smallestInputs(config), [batchSize, length]);
      const inputs = Object.fromEntries(Object.entries(types).map(([name, type]) => [name, emptyInput(type, name)]));
      return {
        program: forward.program(types),
        run: () => forward.run(inputs),
        dispose() {
          forward.dispose();
          model.dispose();
        },
      };
    },
  };
}

/** Texts as large as the batch; what else there is, as it must be. */
function inputTypes(smallest: ReturnType<Architecture["smallestInputs"]>, batch: readonly [number, number]): Record<string, TensorType> {
  const { tokenTypeIds: _, inputIds, attentionMask, ...others } = smallest;
  return { ...others, ...(inputIds && { inputIds: { ...inputIds, shape: batch } }), ...(attentionMask && { attentionMask: { ...attentionMask, shape: batch } }) };
}

/** Token 0, nothing masked, silence. */
function emptyInput({ dtype, shape }: TensorType, name: string): HostTensor {
  const data = dtype === "f32" ? new Float32Array(sizeOf(shape)) : new Int32Array(sizeOf(shape));
  return { shape, data: name === "attentionMask" ? data.fill(1) : data };
}
