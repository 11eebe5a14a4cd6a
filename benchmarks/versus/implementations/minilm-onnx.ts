import { tokens } from "./data.ts";
import type { EncoderShape, Implementation, OnnxTensor, Place } from "./implementation.ts";

/** Token ids go in and hidden states come out through the host, as on every side. */
export async function open({ onnxRuntime, provider, threads, onnx }: Place): Promise<Implementation<EncoderShape>> {
  const { InferenceSession, Tensor } = await onnxRuntime();
  const session = await InferenceSession.create(onnx, { executionProviders: [provider], graphOptimizationLevel: "all", intraOpNumThreads: threads, logSeverityLevel: 3 });
  const wide = (values: Int32Array, dims: number[]) => new Tensor("int64", BigInt64Array.from(values, BigInt), dims);
  let feeds: Record<string, OnnxTensor> = {};
  return {
    async prepare(shape) {
      const { ids, mask, dims } = tokens(shape);
      const all: Record<string, OnnxTensor> = { input_ids: wide(ids, dims), attention_mask: wide(mask, dims), token_type_ids: wide(new Int32Array(ids.length), dims) };
      feeds = Object.fromEntries(session.inputNames.map((name) => [name, all[name]!]));
      return (await session.run(feeds))["last_hidden_state"]!.data as Float32Array;
    },
    async repeat(times) {
      for (let i = 0; i < times; i++) await session.run(feeds);
    },
  };
}
