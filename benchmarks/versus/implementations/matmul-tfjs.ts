import "@tensorflow/tfjs-backend-webgpu";
import { backend, matMul, ready, setBackend, tensor2d, type Tensor2D } from "@tensorflow/tfjs-core";
import type { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import { factors } from "./data.ts";
import type { Implementation, MatmulShape } from "./implementation.ts";
import { QueueWait } from "./queue-wait.ts";

/** Factors and product stay on the device. */
export async function open(): Promise<Implementation<MatmulShape>> {
  if (!(await setBackend("webgpu"))) throw new Error("TensorFlow.js could not start its webgpu backend");
  await ready();
  const webgpu = backend() as WebGPUBackend;
  const wait = new QueueWait(webgpu.device);
  let operands: [Tensor2D, Tensor2D] | null = null;
  return {
    async prepare([m, k, n]) {
      const { a, b } = factors([m, k, n]);
      operands?.forEach((operand) => operand.dispose());
      operands = [tensor2d(a, [m, k]), tensor2d(b, [k, n])];
      const product = matMul(operands[0], operands[1]);
      const data = (await product.data()) as Float32Array;
      product.dispose();
      return data;
    },
    async repeat(times) {
      const startMs = performance.now();
      for (let i = 0; i < times; i++) matMul(operands![0], operands![1]).dispose();
      // It keeps dispatches back to submit several together.
      webgpu.ensureCommandEncoderReady();
      webgpu.endComputePassEncoder();
      webgpu.submitQueue();
      await wait.finish(times, startMs);
    },
  };
}
