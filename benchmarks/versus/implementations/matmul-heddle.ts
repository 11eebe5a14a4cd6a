import { compile, hostTensor, matmul, openDevice, type CompiledFunction, type HostTensor, type State } from "@heddle/kernels";
import { factors } from "./data.ts";
import type { Implementation, MatmulShape } from "./implementation.ts";

/** Factors and product stay on the device. */
export async function open(): Promise<Implementation<MatmulShape>> {
  const device = await openDevice({ device: "webgpu" });
  const inputs: Record<string, HostTensor> = { unused: hostTensor(Float32Array.of(0), []) };
  let product: CompiledFunction | null = null;
  let states: State[] = [];
  return {
    async prepare([m, k, n]) {
      product?.dispose();
      for (const state of states) state.dispose();
      const { a, b } = factors([m, k, n]);
      states = [device.createState("a", { dtype: "f32", shape: [m, k] }, a), device.createState("b", { dtype: "f32", shape: [k, n] }, b)];
      product = compile(device, `matmul-${m}x${k}x${n}`, ({ unused }) => ({ y: matmul(states[0]!, states[1]!), unused: unused! }));
      return (await product.run(inputs, { read: ["y"] }))["y"]!.data as Float32Array;
    },
    async repeat(times) {
      for (let i = 0; i < times; i++) await product!.run(inputs, { read: false });
      await device.finish();
    },
  };
}
