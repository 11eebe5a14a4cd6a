import { availableParallelism } from "node:os";
import { compile, hostTensor, matmul, type Device } from "@heddle/kernels";
import { gflops, interleave } from "../measure.ts";
import type { Row } from "../row.ts";

const SHAPES = [
  { m: 256, k: 256, n: 256 },
  { m: 512, k: 512, n: 512 },
  { m: 1024, k: 1024, n: 1024 },
  // A batch of 32 × 64 tokens through the feed-forward layers of small encoders.
  { m: 2048, k: 128, n: 512 },
  { m: 2048, k: 384, n: 1536 },
];
const ROUNDS = 5;

/** f32 products of states, so that nothing but the product is timed. */
export async function benchmarkMatmul(device: Device): Promise<Row[]> {
  const prepared = SHAPES.map(({ m, k, n }) => {
    const fill = (size: number) => Float32Array.from({ length: size }, (_, i) => ((i * 7919) % 1024) / 1024 - 0.5);
    const a = device.createState("a", { dtype: "f32", shape: [m, k] }, fill(m * k));
    const b = device.createState("b", { dtype: "f32", shape: [k, n] }, fill(k * n));
    const product = compile(device, `matmul-${m}x${k}x${n}`, ({ unused }) => ({ y: matmul(a, b), unused: unused! }));
    return { product, states: [a, b], flops: 2 * m * k * n };
  });
  const inputs = { unused: hostTensor(Float32Array.of(0), []) };
  const timings = await interleave(prepared.map(({ product }) => async () => void (await product.run(inputs, { read: ["unused"] }))), ROUNDS);
  for (const { product, states } of prepared) {
    product.dispose();
    for (const state of states) state.dispose();
  }
  return timings.map((timing, i) => {
    const { m, k, n } = SHAPES[i]!;
    const rate = gflops(prepared[i]!.flops, timing, availableParallelism());
    return { work: "matmul f32", shape: `${m}×${k}×${n}`, unit: "GFLOP/s", higherIsBetter: true, heddle: rate.wall, heddleByCpu: rate.cpu };
  });
}
