import { defaultDevice, getWebGPUDevice, init, numpy as np, type Array as JaxArray } from "@jax-js/jax";
import { factors } from "./data.ts";
import type { Implementation, MatmulShape } from "./implementation.ts";
import { QueueWait } from "./queue-wait.ts";

/** Factors and product stay on the device. jax-js counts references: an operation uses its operands up, `.ref` keeps them. */
export async function open(): Promise<Implementation<MatmulShape>> {
  if (!(await init("webgpu")).includes("webgpu")) throw new Error("jax-js found no WebGPU device");
  defaultDevice("webgpu");
  const wait = new QueueWait(getWebGPUDevice());
  let operands: [JaxArray, JaxArray] | null = null;
  const product = () => np.matmul(operands![0].ref, operands![1].ref);
  return {
    async prepare([m, k, n]) {
      const { a, b } = factors([m, k, n]);
      operands?.forEach((operand) => operand.dispose());
      operands = [np.array(a, { shape: [m, k] }), np.array(b, { shape: [k, n] })];
      return (await product().data()) as Float32Array;
    },
    async repeat(times) {
      const startMs = performance.now();
      // It is lazy: asking for the buffer submits the product.
      for (let i = 0; i < times; i++) await product().gpuBuffer();
      await wait.finish(times, startMs);
    },
  };
}
