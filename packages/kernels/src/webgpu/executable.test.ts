import { describe, expect, it } from "vitest";
import { add, div, mul, sub } from "../ops/elementwise/arithmetic.ts";
import { cast, exp, tanh } from "../ops/elementwise/unary.ts";
import { max, mean, sum } from "../ops/reduce/op.ts";
import { reshape } from "../ops/reshape/op.ts";
import { gradients } from "../program/autodiff.ts";
import { compile, hostTensor } from "../program/compile.ts";
import { assign, asTensor, type TracedFunction } from "../program/trace.ts";
import { checkForward, checkGradients, randomTensor } from "../testing/check.ts";
import { testDevice } from "../testing/devices.ts";
import type { WebGpuDevice } from "./device.ts";

const device = (await testDevice()) as WebGpuDevice;

describe("element-wise kernels", () => {
  const patterns: [number[], number[]][] = [
    [[4, 8], [4, 8]],
    [[8], [4, 8]],
    [[4, 1], [4, 8]],
    [[1], [4, 8]],
    [[2, 1, 8], [2, 3, 8]],
    [[2, 1, 7], [2, 3, 7]],
    [[2, 3, 1, 1], [2, 3, 5, 4]],
    [[3, 1, 4], [2, 3, 5, 4]],
    [[1, 5, 1], [2, 3, 5, 6]],
    [[17], [3, 17]],
    [[1], [1]],
    [[0], [0]],
    [[3, 0, 4], [3, 0, 4]],
  ];
  it.each(patterns)("broadcasts %j to %j", async (from, to) => {
    await checkForward(device, ({ a, b }) => ({ y: sub(mul(tanh(a!), 2), exp(b!)) }), { a: randomTensor(to, 1), b: randomTensor(from, 2) });
  });

  it("converts between dtypes", async () => {
    const x = hostTensor(Int32Array.of(-2, 0, 3, 4, 5));
    await checkForward(device, ({ x: ids }) => ({ y: div(cast(ids!, "f32"), 2) }), { x });
  });

  it("differentiates through broadcasts", async () => {
    await checkGradients(device, ({ a, b }) => ({ y: mul(a!, exp(b!)) }), { a: randomTensor([3, 5, 4], 1), b: randomTensor([5, 1], 2) }, ["a", "b"]);
  });
});

describe("reductions", () => {
  it.each([[[5], [0]], [[3, 70], [1]], [[3, 70], [0]], [[4, 3, 8], [0, 1]], [[4, 3, 8], [1]], [[2, 5, 3], [0, 2]], [[20000], [0]], [[1, 1], [0, 1]], [[0], [0]]])("folds %j over %j", async (shape, axes) => {
    await checkForward(device, ({ x }) => ({ s: sum(x!, { axes }), m: mean(x!, { axes, keepDims: true }), top: max(x!, { axes }) }), { x: randomTensor(shape, 3) });
  });
});

describe("runs", () => {
  it("is one upload, one submission and one readback", async () => {
    using f = compile(device, "counted", ({ x, y }) => ({ sum: add(x!, y!), product: mul(x!, y!) }));
    const inputs = { x: randomTensor([33], 1), y: randomTensor([33], 2) };
    await f.run(inputs);
    const before = { ...device.traffic };
    await f.run(inputs);
    expect(device.traffic.uploads - before.uploads).toBe(1);
    expect(device.traffic.submissions - before.submissions).toBe(1);
    expect(device.traffic.readbacks - before.readbacks).toBe(1);
  });

  it("predicts the pool's peak exactly and leaves nothing behind", async () => {
    const start = device.memory.currentBytes;
    const w = device.createState("w", { dtype: "f32", shape: [7, 9] });
    const f = compile(device, "planned", ({ x }) => {
      const h = tanh(mul(x!, w));
      const loss = sum(mul(h, exp(sum(h, { axes: [1], keepDims: true }))));
      assign(w, sub(w, mul(gradients(loss, [w])[0]!, 0.1)));
      return { loss };
    });
    const x = randomTensor([7, 9], 1);
    const { peakBytes } = f.plan({ x: { dtype: "f32", shape: [7, 9] } });
    expect(device.memory.currentBytes - start).toBe(7 * 9 * 4 + 4);
    await f.run({ x });
    await f.run({ x });
    expect(device.memory.currentBytes - start).toBe(peakBytes);
    f.dispose();
    w.dispose();
    expect(device.memory.currentBytes).toBe(start);
  });

  it("updates states in place, run after run", async () => {
    const counter = device.createState("counter", { dtype: "f32", shape: [3] }, Float32Array.of(1, 2, 3));
    using f = compile(device, "count", () => {
      assign(counter, add(counter, 1));
      return { now: asTensor(counter) };
    });
    await f.run({}, { read: false });
    expect([...(await f.run({})).now!.data]).toEqual([3, 4, 5]);
    expect([...(await device.readStates([counter]))[0]!]).toEqual([3, 4, 5]);
    f.dispose();
    counter.dispose();
  });

  it("swaps two states", async () => {
    const a = device.createState("a", { dtype: "f32", shape: [2] }, Float32Array.of(1, 2));
    const b = device.createState("b", { dtype: "f32", shape: [2] }, Float32Array.of(3, 4));
    using swap = compile(device, "swap", () => {
      const [left, right] = [asTensor(a), asTensor(b)];
      assign(a, right);
      assign(b, left);
      return {};
    });
    await swap.run({});
    expect((await device.readStates([a, b])).map((data) => [...data])).toEqual([[3, 4], [1, 2]]);
    swap.dispose();
    a.dispose();
    b.dispose();
  });

  it("gives inputs, views and constants back as outputs", async () => {
    using f = compile(device, "plain", ({ x }) => ({ same: x!, view: reshape(x!, [3, 2]), two: asTensor(2) }));
    const x = randomTensor([6], 1);
    const { same, view, two } = await f.run({ x });
    expect(same!.data).toEqual(x.data);
    expect(view!.shape).toEqual([3, 2]);
    expect([...two!.data]).toEqual([2]);
  });

  it("serves plans of several shapes from one workspace", async () => {
    using f = compile(device, "shapes", ({ x }) => ({ y: sum(exp(tanh(x!)), { axes: [1] }) }));
    for (const rows of [3, 300, 5, 40]) {
      const x = randomTensor([rows, 10], rows);
      const { y } = await f.run({ x });
      expect(y!.data[rows - 1]).toBeCloseTo(Array.from(x.data.slice(-10)).reduce((total, v) => total + Math.exp(Math.tanh(v)), 0), 3);
    }
  });

  it("runs side by side without mixing results", async () => {
    using f = compile(device, "parallel", ({ x }) => ({ y: mul(x!, 3) }));
    const results = await Promise.all([1, 2, 3, 4].map((value) => f.run({ x: value })));
    expect(results.map(({ y }) => y!.data[0])).toEqual([3, 6, 9, 12]);
  });

  it("stops at an aborted signal", async () => {
    using f = compile(device, "abort", ({ x }) => ({ y: mul(x!, 3) }));
    await expect(f.run({ x: 1 }, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
  });

  it("cuts long programs into submissions", async () => {
    const limited = Object.create(device, { maxSubmissionMs: { value: 1e-9 } }) as WebGpuDevice;
    const { submissions: before, dispatches: dispatchesBefore } = device.traffic;
    const fn: TracedFunction = ({ x }) => ({ a: sum(x!), b: max(x!), c: sum(exp(x!)), d: max(tanh(x!)) });
    using whole = compile(device, "whole", fn);
    const x = randomTensor([9], 1);
    const wanted = await whole.run({ x });
    expect(device.traffic.submissions - before).toBe(1);
    using cut = compile(limited, "cut", fn);
    expect(await cut.run({ x })).toEqual(wanted);
    // Each dispatch is too much for one submission.
    expect(device.traffic.submissions - before).toBe(1 + (device.traffic.dispatches - dispatchesBefore) / 2);
  });
});
