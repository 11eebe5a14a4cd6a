import { compile, hostTensor, ReferenceDevice } from "@heddle/kernels";
import { expect, it } from "vitest";
import { leastDistances, relativePositionBias, textDistances } from "./relative-positions.ts";
import { Scope } from "./scope.ts";

it("begins each bucket where T5 does", () => {
  // By transformers' _relative_position_bucket, 32 buckets in two directions.
  expect(leastDistances(16, 128)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91]);
});

it("gives every pair of tokens its bucket's number, keys ahead apart from keys behind", async () => {
  const [length, heads] = [100, 2];
  const table = Float32Array.from({ length: 32 * heads }, (_, i) => i);
  const scope = new Scope(() => state);
  const device = new ReferenceDevice();
  const state = device.createState("weight", { dtype: "f32", shape: [32, heads] }, table);
  using compiled = compile(device, "bias", ({ unused }) => ({ y: relativePositionBias(scope, textDistances(length), { heads, buckets: 32, maxDistance: 128, initializerRange: 0.02 }), unused: unused! }));
  const { y } = await compiled.run({ unused: hostTensor(Float32Array.of(0), []) });
  const bucket = (query: number, key: number) => (y!.data[query * length + key] as number) / heads;
  expect([[5, 5], [5, 4], [5, 6], [50, 35], [50, 66], [99, 0], [0, 99]].map(([query, key]) => bucket(query!, key!))).toEqual([0, 1, 17, 9, 26, 15, 31]);
  expect(y!.data[length * length + 5 * length + 4]).toBe(3);
});
