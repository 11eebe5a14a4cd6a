import { AutoModel, env, Tensor } from "@huggingface/transformers";
import { tokens } from "./data.ts";
import type { EncoderShape, Implementation, Place } from "./implementation.ts";

/** transformers.js on WebGPU: in Node by onnxruntime-node, in a page by onnxruntime-web. */
export async function open({ model: folder }: Place): Promise<Implementation<EncoderShape>> {
  env.allowRemoteModels = false;
  env.allowLocalModels = true;
  env.localModelPath = folder.slice(0, folder.lastIndexOf("/") + 1);
  // Otherwise pages fetch onnxruntime's WebAssembly from a CDN, in the version that transformers.js was built with.
  if (env.backends.onnx.wasm) env.backends.onnx.wasm.wasmPaths = undefined;
  const model = await AutoModel.from_pretrained(folder.slice(folder.lastIndexOf("/") + 1), { device: "webgpu", dtype: "fp32" });
  const wide = (values: Int32Array, dims: number[]) => new Tensor("int64", BigInt64Array.from(values, BigInt), dims);
  let feeds: Record<string, Tensor> = {};
  const run = async () => ((await model(feeds)) as { last_hidden_state: Tensor }).last_hidden_state.data as Float32Array;
  return {
    async prepare(shape) {
      const { ids, mask, dims } = tokens(shape);
      feeds = { input_ids: wide(ids, dims), attention_mask: wide(mask, dims), token_type_ids: wide(new Int32Array(ids.length), dims) };
      return run();
    },
    async repeat(times) {
      for (let i = 0; i < times; i++) await run();
    },
  };
}
