import { describe, expect, it } from "vitest";
import { ReferenceDevice } from "../reference/device.ts";
import { add, div, maximum, mul, sub, where } from "../ops/elementwise/arithmetic.ts";
import { exp, log, sigmoid, sqrt, tanh } from "../ops/elementwise/unary.ts";
import { max, mean, sum } from "../ops/reduce/op.ts";
import { reshape } from "../ops/reshape/op.ts";
import { checkGradients, randomTensor } from "../testing/check.ts";
import { gradients } from "./autodiff.ts";
import { compile } from "./compile.ts";
import { trace, type TracedFunction } from "./trace.ts";
import { roundUpToBucket, geometricBuckets } from "./buckets.ts";
import { HeddleError } from "../errors.ts";

const device = new ReferenceDevice("f64");
const positive = (shape: number[], seed: number) => ({ shape, data: randomTensor(shape, seed).data.map((v) => Math.abs(v) + 0.5) as Float32Array });

describe("gradients", () => {
  const cases: [string, TracedFunction][] = [
    ["add, broadcast both ways", ({ a, b }) => ({ y: add(a!, b!) })],
    ["sub", ({ a, b }) => ({ y: sub(a!, b!) })],
    ["mul", ({ a, b }) => ({ y: mul(a!, b!) })],
    ["div", ({ a, b }) => ({ y: div(a!, add(mul(b!, b!), 1)) })],
    ["maximum", ({ a, b }) => ({ y: maximum(a!, b!) })],
    ["where", ({ a, b }) => ({ y: where(1, mul(a!, 2), b!) })],
    ["chain", ({ a, b }) => ({ y: tanh(mul(sigmoid(a!), exp(b!))) })],
    ["reductions", ({ a, b }) => ({ s: sum(a!, { axes: [0, 2] }), m: mean(b!, { axes: [-1], keepDims: true }), x: max(a!, { axes: [1] }) })],
    ["reshape", ({ a, b }) => ({ y: mul(reshape(a!, [-1]), sum(b!)) })],
    ["one tensor used thrice", ({ a, b }) => ({ y: add(mul(a!, a!), mul(a!, b!)) })],
  ];
  it.each(cases)("%s", async (_, fn) => {
    await checkGradients(device, fn, { a: randomTensor([2, 3, 5], 1), b: randomTensor([3, 1], 2) }, ["a", "b"]);
  });

  it("log and sqrt", async () => {
    await checkGradients(device, ({ a }) => ({ y: add(log(a!), sqrt(a!)) }), { a: positive([7], 3) }, ["a"]);
  });

  it("gives zeros to what the loss does not depend on", () => {
    const program = trace("zeros", { a: { dtype: "f32", shape: [2] }, b: { dtype: "f32", shape: [3] } }, ({ a, b }) => ({ g: gradients(sum(a!), [b!])[0]! }));
    expect(program.outputs.get("g")!.shape).toEqual([3]);
  });

  it("refuses a loss that is not one number", () => {
    expect(() => trace("bad", { a: { dtype: "f32", shape: [2] } }, ({ a }) => ({ g: gradients(a!, [a!])[0]! }))).toThrow(/the loss must be one number; it has shape \[2\]/);
  });
});

describe("compile", () => {
  it("traces once per shape and checks its inputs", async () => {
    let traces = 0;
    const f = compile(device, "twice", ({ x }) => {
      traces++;
      return { y: mul(x!, 2) };
    });
    await f.run({ x: randomTensor([2], 1) });
    await f.run({ x: randomTensor([2], 2) });
    await f.run({ x: randomTensor([3], 2) });
    expect(traces).toBe(2);
    await expect(f.run({ x: { shape: [2], data: new Float32Array(3) } })).rejects.toThrow(/says shape \[2\], 2 elements, but its data has 3/);
  });

  it("names the op, the shapes and the axis of a mismatch", async () => {
    const f = compile(device, "sum", ({ x, y }) => ({ z: add(x!, y!) }));
    const error = await f.run({ x: randomTensor([2, 3], 1), y: randomTensor([2], 1) }).catch((e: unknown) => e);
    expect(HeddleError.isInstance(error) && error.code).toBe("SHAPE_MISMATCH");
    expect(String(error)).toMatch(/\[add\] shapes \[2, 3\] and \[2\] do not broadcast/);
  });
});

describe("buckets", () => {
  it("rounds up and says when nothing holds", () => {
    expect(roundUpToBucket(9, geometricBuckets(64))).toBe(16);
    expect(() => roundUpToBucket(65, geometricBuckets(64))).toThrow(/more than the largest bucket, 64/);
  });
});
