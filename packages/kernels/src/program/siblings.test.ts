import { describe, expect, it } from "vitest";
import { matmul } from "../ops/matmul/op.ts";
import { reshape } from "../ops/reshape/op.ts";
import { expectClose, randomTensor, reference } from "../testing/check.ts";
import { testDevice } from "../testing/devices.ts";
import { compile } from "./compile.ts";
import type { State } from "../device/device.ts";
import type { Shape } from "./types.ts";
import type { WebGpuDevice } from "../webgpu/device.ts";

const device = (await testDevice()) as WebGpuDevice;
const [hidden, out] = [64, 48];
const names = ["query", "key", "value"];
const dispatchesOf = async (run: () => Promise<unknown>) => {
  const before = device.traffic.dispatches;
  await run();
  return device.traffic.dispatches - before;
};

/** Three linear layers of one input, as attention has them, with weights made together or one by one. */
function layers(shapes: readonly Shape[], together: boolean): State[] {
  const specs = shapes.flatMap((shape, i) => [
    { name: `${names[i]}.weight`, type: { dtype: "f32" as const, shape } },
    { name: `${names[i]}.bias`, type: { dtype: "f32" as const, shape: [shape[0]!] } },
  ]);
  const states = together ? device.createStates(specs) : specs.map(({ name, type }) => device.createState(name, type));
  states.forEach((state, i) => state.write(randomTensor(state.type.shape, 10 + i).data));
  return states;
}

async function check(states: readonly State[], tokens: number, dispatches: number): Promise<void> {
  const x = randomTensor([2, tokens / 2, hidden], 1);
  const project = (i: number, x: Parameters<typeof matmul>[0], w: Parameters<typeof matmul>[1], bias: Parameters<typeof matmul>[1]) => ({ [names[i]!]: reshape(matmul(x, w, { transposeB: true, bias }), [tokens, -1]) });
  using compiled = compile(device, "siblings", ({ x }) => Object.assign({}, ...[0, 1, 2].map((i) => project(i, x!, states[2 * i]!, states[2 * i + 1]!))));
  let results: Record<string, { data: ArrayLike<number> }> = {};
  expect(await dispatchesOf(async () => (results = await compiled.run({ x })))).toBe(dispatches);
  const inputs = { x, ...Object.fromEntries(states.map(({ name, type }, i) => [name, randomTensor(type.shape, 10 + i)])) };
  const wanted = reference((t) => Object.assign({}, ...[0, 1, 2].map((i) => project(i, t["x"]!, t[`${names[i]}.weight`]!, t[`${names[i]}.bias`]!))), inputs);
  for (const name of names) expectClose(results[name]!.data, wanted[name]!.data, 1e-5, name);
  for (const state of states) state.dispose();
}

describe("siblings", () => {
  it("are one dispatch where their weights lie in equal steps", () => check(layers([[out, hidden], [out, hidden], [out, hidden]], true), 64, 1));
  it("are one each where they were made apart", () => check(layers([[out, hidden], [out, hidden], [out, hidden]], false), 64, 3));
  it("leave out a layer of another size", () => check(layers([[out, hidden], [out - 16, hidden], [out - 16, hidden]], true), 64, 2));
  it("stay right where results do not begin on a binding's alignment, and for one token", async () => {
    await check(layers([[12, hidden], [12, hidden], [12, hidden]], true), 2, 3);
    await check(layers([[20, hidden], [20, hidden], [20, hidden]], true), 34, 1);
  });
});
