import { exportToOnnx, matmul, mul, ReferenceDevice, slice, type TensorType } from "@heddle/kernels";
import { factors } from "./data.ts";
import type { Implementation, MatmulShape, OnnxRuntime, OnnxSession, OnnxTensor, Place } from "./implementation.ts";

/**
 * Factors and product stay on the device; one number of the product comes back, because the WebGPU provider's `run`
 * resolves before the device is done. Every node must have found its kernel there: the CPU may not help out.
 */
export async function open({ onnxRuntime, provider, threads }: Place): Promise<Implementation<MatmulShape>> {
  const runtime = await onnxRuntime();
  const { InferenceSession, Tensor } = runtime;
  let session: OnnxSession | null = null;
  let feeds: Record<string, OnnxTensor> = {};
  return {
    async prepare([m, k, n]) {
      for (const tensor of Object.values(feeds)) tensor.dispose();
      await session?.release();
      const types: Record<string, TensorType> = { a: { dtype: "f32", shape: [m, k] }, b: { dtype: "f32", shape: [k, n] } };
      const { a, b } = factors([m, k, n]);
      feeds = { a: new Tensor("float32", a, [m, k]), b: new Tensor("float32", b, [k, n]) };
      if (provider === "webgpu") feeds = await upload(runtime, types, feeds);
      const graph = await exportToOnnx(new ReferenceDevice(), { name: "matmul", inputs: types }, (inputs) => {
        const product = matmul(inputs["a"]!, inputs["b"]!);
        return { product, corner: slice(slice(product, { axis: 0, begin: 0, end: 1 }), { axis: 1, begin: 0, end: 1 }) };
      });
      const options = { executionProviders: [provider], graphOptimizationLevel: "all", intraOpNumThreads: threads, logSeverityLevel: 3, ...(provider === "webgpu" && onDevice) } as const;
      session = await InferenceSession.create(graph, { ...options, ...(provider === "webgpu" && { preferredOutputLocation: { product: "gpu-buffer", corner: "cpu" } as const }) });
      // A product on the device cannot be read in Node: another session of the same graph brings it back once.
      const reading = await InferenceSession.create(graph, options);
      const { product } = await reading.run(feeds);
      const numbers = Float32Array.from(product!.data as Float32Array);
      await reading.release();
      // Sessions do not share what they compile.
      (await session.run(feeds))["product"]!.dispose();
      return numbers;
    },
    async repeat(times) {
      for (let i = 0; i < times; i++) (await session!.run(feeds))["product"]!.dispose();
    },
  };
}

const onDevice = { extra: { session: { disable_cpu_ep_fallback: "1" } } } as const;

/** Tensors move to the device as outputs of a graph that changes nothing. */
async function upload({ InferenceSession }: OnnxRuntime, types: Record<string, TensorType>, feeds: Record<string, OnnxTensor>): Promise<Record<string, OnnxTensor>> {
  const graph = await exportToOnnx(new ReferenceDevice(), { name: "upload", inputs: types }, ({ a, b }) => ({ aOnDevice: mul(a!, 1), bOnDevice: mul(b!, 1) }));
  const session = await InferenceSession.create(graph, { executionProviders: ["webgpu"], logSeverityLevel: 3, ...onDevice, preferredOutputLocation: "gpu-buffer" });
  const { aOnDevice, bOnDevice } = await session.run(feeds);
  return { a: aOnDevice!, b: bOnDevice! };
}
