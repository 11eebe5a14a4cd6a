import { describe, expect, it } from "vitest";
import type { TracedFunction } from "../../program/trace.ts";
import { compile } from "../../program/compile.ts";
import { checkForward, checkGradients, expectClose, randomTensor, reference } from "../../testing/check.ts";
import { testDevice } from "../../testing/devices.ts";
import { bceWithLogits, mseLoss } from "./op.ts";

const device = await testDevice();
const probabilities = (shape: number[]) => ({ shape, data: randomTensor(shape, 8).data.map((value) => (value + 1) / 2) });
const total = (values: number[]) => values.reduce((a, b) => a + b, 0);

describe.each(["mean", "sum", "none"] as const)("reduction %s", (reduction) => {
  const reduced = (losses: number[]) => (reduction === "none" ? losses : [reduction === "sum" ? total(losses) : total(losses) / losses.length]);
  const x = randomTensor([3, 5], 1, 4);
  const y = probabilities([3, 5]);

  it("mseLoss is the squared error", async () => {
    const fn: TracedFunction = ({ x, y }) => ({ loss: mseLoss(x!, y!, { reduction }) });
    const wanted = reduced(Array.from(x.data, (value, i) => (value - y.data[i]!) ** 2));
    expectClose(reference(fn, { x, y })["loss"]!.data, wanted, 1e-12, "reference");
    await checkForward(device, fn, { x, y });
    await checkGradients(device, fn, { x, y }, ["x", "y"]);
  });

  it.each([[false], [true]])("bceWithLogits is the binary cross-entropy (posWeight %s)", async (weighted) => {
    const posWeight = { shape: [5], data: Float32Array.of(1, 2, 0.5, 10, 3) };
    const fn: TracedFunction = ({ x, y, posWeight }) => ({ loss: bceWithLogits(x!, y!, weighted ? { reduction, posWeight: posWeight! } : { reduction }) });
    const wanted = reduced(Array.from(x.data, (value, i) => {
      const probability = 1 / (1 + Math.exp(-value));
      return -(weighted ? posWeight.data[i % 5]! : 1) * y.data[i]! * Math.log(probability) - (1 - y.data[i]!) * Math.log(1 - probability);
    }));
    expectClose(reference(fn, { x, y, posWeight })["loss"]!.data, wanted, 1e-12, "reference");
    await checkForward(device, fn, { x, y, posWeight });
    await checkGradients(device, fn, { x, y, posWeight }, ["x", "y"]);
  });
});

describe("losses", () => {
  it("bceWithLogits stays finite and exact for sure predictions, right or wrong", async () => {
    const x = { shape: [6], data: Float32Array.of(100, -100, 100, -100, 1e30, 15) };
    const y = { shape: [6], data: Float32Array.of(1, 0, 0, 1, 1, 1) };
    using compiled = compile(device, "sure", ({ x, y }) => ({ plain: bceWithLogits(x!, y!, { reduction: "none" }), weighted: bceWithLogits(x!, y!, { reduction: "none", posWeight: 2 }) }));
    const { plain, weighted } = await compiled.run({ x, y });
    expectClose(plain!.data, [0, 0, 100, 100, 0, Math.log1p(Math.exp(-15))], 1e-9, "plain");
    expectClose(weighted!.data, [0, 0, 100, 200, 0, 2 * Math.log1p(Math.exp(-15))], 1e-9, "weighted");
  });

  it("refuse shapes that would broadcast, and unknown reductions", () => {
    const inputs = { x: randomTensor([3, 1], 1), y: randomTensor([3], 1) };
    expect(() => reference(({ x, y }) => ({ loss: mseLoss(x!, y!) }), inputs)).toThrow("[mseLoss] predictions [3, 1] and targets [3] must have one shape");
    expect(() => reference(({ x, y }) => ({ loss: bceWithLogits(x!, y!) }), inputs)).toThrow("[bceWithLogits] predictions [3, 1]");
    expect(() => reference(({ x }) => ({ loss: bceWithLogits(x!, x!, { posWeight: x! }) }), { x: randomTensor([3], 1) })).not.toThrow();
    expect(() => reference(({ x, w }) => ({ loss: bceWithLogits(x!, x!, { posWeight: w! }) }), { x: randomTensor([3], 1), w: randomTensor([2, 3], 1) })).toThrow("posWeight [2, 3] does not broadcast to the logits [3]");
    expect(() => reference(({ x }) => ({ loss: mseLoss(x!, x!, { reduction: "max" as "sum" }) }), { x: randomTensor([3], 1) })).toThrow('reduction must be "mean", "sum" or "none"');
  });
});
