import { describe, expect, it } from "vitest";
import type { Device } from "../../device/device.ts";
import { gradients } from "../../program/autodiff.ts";
import { compile } from "../../program/compile.ts";
import type { Tensor } from "../../program/tensor.ts";
import { trace, type TracedFunction } from "../../program/trace.ts";
import { checkForward, checkGradients, randomTensor } from "../../testing/check.ts";
import { testDevice } from "../../testing/devices.ts";
import type { WebGpuDevice } from "../../webgpu/device.ts";
import { mul } from "../elementwise/arithmetic.ts";
import { slice } from "../movement/slice.ts";
import { sum } from "../reduce/op.ts";
import { reshape } from "../reshape/op.ts";
import { attention } from "./op.ts";

const device = await testDevice();
const [batch, length, heads, headDim] = [2, 6, 4, 8];

/** Columns of x [batch, length, row] as heads. */
const columns = (x: Tensor, begin: number, count: number) => reshape(slice(x, { axis: -1, begin, end: begin + count * headDim }), [...x.shape.slice(0, 2), count, headDim]);
/** GPT-2: all heads of q, then those of k, then those of v. */
const gpt2: TracedFunction = ({ x }) => {
  const [q, k, v] = [0, 1, 2].map((i) => columns(x!, i * heads * headDim, heads));
  return { y: attention(q!, k!, v!, { causal: true }) };
};
/** GPT-NeoX: q, k and v of each head side by side. */
const neox: TracedFunction = ({ x }) => {
  const each = reshape(x!, [batch, length, heads, 3 * headDim]);
  const [q, k, v] = [0, 1, 2].map((i) => slice(each, { axis: 3, begin: i * headDim, end: (i + 1) * headDim }));
  return { y: attention(q!, k!, v!) };
};
/** Phi-3: fewer heads of k and v. */
const grouped: TracedFunction = ({ x }) => ({ y: attention(columns(x!, 0, heads), columns(x!, heads * headDim, 2), columns(x!, (heads + 2) * headDim, 2), { causal: true }) });
/** A decoder that looks at an encoder: v lies before k here. */
const cross: TracedFunction = ({ q, x }) => ({ y: attention(q!, columns(x!, 2 * headDim, 2), columns(x!, 0, 2)) });

const joined = (columns: number) => ({ x: randomTensor([batch, length, columns * headDim], 1, 2) });
const cases: [string, TracedFunction, Record<string, ReturnType<typeof randomTensor>>][] = [
  ["slices of all heads", gpt2, joined(3 * heads)],
  ["slices of each head", neox, joined(3 * heads)],
  ["slices of different sizes", grouped, joined(heads + 4)],
  ["k and v alone", cross, { ...joined(4), q: randomTensor([batch, 3, heads, headDim], 2) }],
];

describe("attention to parts of one tensor", () => {
  it.each(cases)("%s: reads and differentiates them where they lie", async (_, fn, inputs) => {
    await checkForward(device, fn, inputs);
    await checkGradients(device, fn, inputs, Object.keys(inputs));
    const types = Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, { dtype: "f32" as const, shape }]));
    const program = trace("parts", types, (tensors) => ({ g: gradients(sum(fn(tensors).y!), [tensors["x"]!])[0]! }));
    expect(program.nodes.filter(({ op }) => ["slice", "pad"].includes(op.name))).toEqual([]);
  });

  it("copies slices that leave something out, or overlap", async () => {
    await checkGradients(device, gpt2, joined(3 * heads + 1), ["x"]);
    const shared: TracedFunction = ({ x }) => ({ y: attention(columns(x!, 0, 2), columns(x!, headDim, 2), columns(x!, headDim, 2)) });
    await checkGradients(device, shared, joined(3), ["x"]);
  });

  it("takes odd sizes and empty batches", async () => {
    const odd: TracedFunction = ({ x }) => {
      const [q, k, v] = [0, 1, 2].map((i) => reshape(slice(x!, { axis: 2, begin: 10 * i, end: 10 * (i + 1) }), [...x!.shape.slice(0, 2), 2, 5]));
      return { y: attention(q!, k!, v!) };
    };
    await checkGradients(device, odd, { x: randomTensor([2, 3, 30], 1) }, ["x"]);
    await checkForward(device, odd, { x: randomTensor([0, 3, 30], 1) });
  });

  it("goes backward in two dispatches", async () => {
    const gpu = device as Device & Partial<Pick<WebGpuDevice, "traffic">>;
    if (!gpu.traffic) return;
    using compiled = compile(device, "backward", ({ x, dy }) => ({ g: gradients(sum(mul(gpt2({ x: x! }).y!, dy!)), [x!])[0]! }));
    const before = gpu.traffic.dispatches;
    await compiled.run({ ...joined(3 * heads), dy: randomTensor([batch, length, heads, headDim], 1) });
    // The constant 1 that a sum passes on, times dy; forward; and two.
    expect(gpu.traffic.dispatches - before).toBe(3 + 2);
  });
});
