import { compile, hostTensor, openDevice, type HostTensor } from "@heddle/kernels";
import { loadModel } from "@heddle/transformer";
import { tokens } from "./data.ts";
import type { EncoderShape, Implementation, Place } from "./implementation.ts";

export async function open({ model: folder }: Place): Promise<Implementation<EncoderShape>> {
  const device = await openDevice({ device: "webgpu" });
  const { model } = await loadModel(device, folder);
  const forward = compile(device, "minilm", ({ inputIds, attentionMask }) => ({ hidden: model.forward({ inputIds: inputIds!, attentionMask: attentionMask! }).lastHiddenState }));
  let inputs: Record<string, HostTensor> = {};
  return {
    async prepare(shape) {
      const { ids, mask, dims } = tokens(shape);
      inputs = { inputIds: hostTensor(ids, dims), attentionMask: hostTensor(mask, dims) };
      return (await forward.run(inputs))["hidden"]!.data as Float32Array;
    },
    async repeat(times) {
      for (let i = 0; i < times; i++) await forward.run(inputs);
    },
  };
}
