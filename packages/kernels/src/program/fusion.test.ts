import { describe, expect, it } from "vitest";
import type { State } from "../device/device.ts";
import { add, mul } from "../ops/elementwise/arithmetic.ts";
import { exp, tanh } from "../ops/elementwise/unary.ts";
import { adamW } from "../ops/optimizer/adamw.ts";
import { sum } from "../ops/reduce/op.ts";
import { reshape } from "../ops/reshape/op.ts";
import { ReferenceDevice } from "../reference/device.ts";
import { fusedKernel, wholeRange } from "./fused-kernel.ts";
import { fuse, type FusedStep } from "./fusion.ts";
import type { Tensor } from "./tensor.ts";
import { asTensor, trace, type TracedFunction } from "./trace.ts";

const f32 = (...shape: number[]) => ({ dtype: "f32" as const, shape });
const stepsOf = (types: Record<string, ReturnType<typeof f32>>, fn: TracedFunction, maxInputs = 7) => fuse(trace("test", types, fn), maxInputs);
const namesOf = (types: Record<string, ReturnType<typeof f32>>, fn: TracedFunction, maxInputs?: number) =>
  stepsOf(types, fn, maxInputs).map((step) => step.nodes.map((node) => node.op.name).join("+"));

describe("fuse", () => {
  it("joins a chain into one kernel and spells constants in its text", () => {
    expect(namesOf({ x: f32(4, 8), b: f32(8) }, ({ x, b }) => ({ y: tanh(mul(add(x!, b!), 2)) }))).toEqual(["add+mul+tanh"]);
  });

  it("keeps a value that something else reads", () => {
    const shared: TracedFunction = ({ x }) => {
      const e = exp(x!);
      return { y: tanh(e), s: sum(e) };
    };
    expect(namesOf({ x: f32(8) }, shared)).toEqual(["exp", "tanh", "reduce", "reshape"]);
  });

  it("joins a diamond whose every branch ends in the group", () => {
    const diamond: TracedFunction = ({ x }) => {
      const e = exp(x!);
      return { y: add(tanh(e), mul(e, e)) };
    };
    expect(namesOf({ x: f32(8) }, diamond)).toEqual(["exp+tanh+mul+add"]);
  });

  it("does not bind more buffers than the adapter has", () => {
    const many: TracedFunction = ({ a, b, c, d }) => ({ y: add(add(a!, b!), add(c!, d!)) });
    const types = { a: f32(4), b: f32(4), c: f32(4), d: f32(4) };
    expect(namesOf(types, many)).toHaveLength(1);
    for (const step of stepsOf(types, many, 3)) expect((step as FusedStep).inputs.length).toBeLessThanOrEqual(3);
  });
});

describe("fusedKernel", () => {
  const kernelOf = (from: number[], to: number[]) => {
    const step = stepsOf({ x: f32(...to), b: f32(...from) }, ({ x, b }) => ({ y: add(x!, b!) }))[0] as FusedStep;
    return fusedKernel(step, wholeRange(step));
  };

  it("reads four at a time where every operand allows it", () => {
    expect(kernelOf([8], [4, 8]).kernel.label).toMatch(/x4$/);
    expect(kernelOf([4, 1], [4, 8]).kernel.label).toMatch(/x4$/);
    expect(kernelOf([3], [4, 3]).kernel.label).toMatch(/x1$/);
  });

  it("has one text for every shape of one broadcast pattern", () => {
    expect(kernelOf([8], [4, 8]).kernel.code).toBe(kernelOf([16], [5, 16]).kernel.code);
    expect(kernelOf([8], [4, 8]).kernel.code).not.toBe(kernelOf([4, 1], [4, 8]).kernel.code);
  });
});

describe("ops that lower together", () => {
  const device = new ReferenceDevice();
  const state = (name: string) => device.createState(name, { dtype: "f32", shape: [2] });
  const update = (parameter: State, gradient: Tensor) => adamW({ parameter, gradient, firstMoment: state("m"), secondMoment: state("v"), learningRate: 0.1, biasCorrection1: 0.1, biasCorrection2: 0.1 });
  const steps = (fn: (a: State, b: State, g: Tensor) => Record<string, Tensor>) => namesOf({ g: f32(2) }, ({ g }) => fn(state("a"), state("b"), g!)).filter((name) => name !== "constant");

  it("share a step after all that they read", () => {
    expect(steps((a, b, g) => {
      update(a, g);
      update(b, sum(exp(reshape(g, [1, 2])), { axes: [0] }));
      return {};
    })).toEqual(["reshape", "exp", "reduce", "reshape", "adamW+adamW"]);
  });

  it("do not where one reads what came of another", () => {
    expect(steps((a, b, g) => {
      update(a, g);
      update(b, tanh(asTensor(a)));
      return {};
    })).toEqual(["adamW", "tanh", "adamW"]);
  });
});
