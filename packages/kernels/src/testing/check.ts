import { expect } from "vitest";
import type { Device } from "../device/device.ts";
import { gradients } from "../program/autodiff.ts";
import { compile } from "../program/compile.ts";
import { fromFloat16 } from "../program/float16.ts";
import { trace, type TracedFunction } from "../program/trace.ts";
import { dtypeOf, sizeOf, type HostTensor, type Shape } from "../program/types.ts";
import { add, mul } from "../ops/elementwise/arithmetic.ts";
import { sum } from "../ops/reduce/op.ts";
import { interpret } from "../reference/interpreter.ts";

/** Numbers in (-1, 1) that depend only on `seed`. */
export function randomFloats(size: number, seed: number): Float32Array {
  let state = (seed * 2654435761 + 1) >>> 0;
  return Float32Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 31 - 1) * 0.999;
  });
}

export function randomTensor(shape: Shape, seed: number, scale = 1): HostTensor {
  return { shape, data: randomFloats(sizeOf(shape), seed).map((value) => value * scale) };
}

function typesOf(inputs: Record<string, HostTensor>) {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, { shape, data }]) => [name, { shape, dtype: dtypeOf(data) }]),
  );
}

const noStates = () => {
  throw new Error("this check takes functions without states");
};

/** What the reference interpreter makes of `fn`. */
export function reference(fn: TracedFunction, inputs: Record<string, HostTensor>, precision: "f32" | "f64" = "f64") {
  return interpret(trace("reference", typesOf(inputs), fn), inputs, noStates, precision).outputs;
}

/** Expects max |actual - wanted| ≤ tolerance · max(1, max |wanted|), and no NaN. */
export function expectClose(actual: ArrayLike<number>, wanted: ArrayLike<number>, tolerance: number, what: string): void {
  expect(actual.length, `${what}: length`).toBe(wanted.length);
  let scale = 1;
  for (let i = 0; i < wanted.length; i++) scale = Math.max(scale, Math.abs(wanted[i]!));
  for (let i = 0; i < wanted.length; i++) {
    const difference = Math.abs(actual[i]! - wanted[i]!);
    if (!(difference <= tolerance * scale)) expect.fail(`${what}[${i}] is ${actual[i]}, wanted ${wanted[i]} ± ${tolerance * scale}`);
  }
}

/** Runs `fn` on `device` and expects what the f64 reference interpreter gives. */
export async function checkForward(device: Device, fn: TracedFunction, inputs: Record<string, HostTensor>, tolerance = 1e-5): Promise<void> {
  const wanted = reference(fn, inputs);
  using compiled = compile(device, "check", fn);
  const actual = await compiled.run(inputs);
  for (const [name, array] of Object.entries(wanted)) {
    expect(actual[name]!.shape, `${name}: shape`).toEqual(array.shape);
    const { data } = actual[name]!;
    expectClose(data instanceof Uint16Array ? fromFloat16(data) : data, array.data, tolerance, name);
  }
}

/** Σ outputs ⊙ fixed random weights: a scalar whose gradient exercises every output. */
function weightedSum(fn: TracedFunction): TracedFunction {
  return (inputs) => {
    const weights = Object.fromEntries(Object.entries(inputs).filter(([name]) => name.startsWith("weight:")));
    const outputs = fn(Object.fromEntries(Object.entries(inputs).filter(([name]) => !name.startsWith("weight:"))));
    const terms = Object.entries(outputs).map(([name, output]) => sum(mul(output, weights[`weight:${name}`]!)));
    return { loss: terms.reduce((a, b) => add(a, b)) };
  };
}

/** Gradients of Σ outputs ⊙ weights by `wrt`, and the inputs with those weights. */
function gradientsOf(fn: TracedFunction, inputs: Record<string, HostTensor>, wrt: readonly string[]): { fn: TracedFunction; loss: TracedFunction; inputs: Record<string, HostTensor> } {
  const weighted: Record<string, HostTensor> = { ...inputs };
  Object.entries(reference(fn, inputs)).forEach(([name, { shape }], i) => (weighted[`weight:${name}`] = randomTensor(shape, 97 + i)));
  const loss = weightedSum(fn);
  return {
    loss,
    inputs: weighted,
    fn(symbolic) {
      const grads = gradients(loss(symbolic).loss!, wrt.map((name) => symbolic[name]!));
      return Object.fromEntries(wrt.map((name, i) => [name, grads[i]!]));
    },
  };
}

/** Expects outputs and gradients on `device` to equal the f64 reference's. For many shapes: no finite differences. */
export async function checkWithGradients(device: Device, fn: TracedFunction, inputs: Record<string, HostTensor>, wrt: readonly string[], tolerance = 1e-4): Promise<void> {
  await checkForward(device, fn, inputs, tolerance);
  if (wrt.length === 0) return;
  const backward = gradientsOf(fn, inputs, wrt);
  await checkForward(device, backward.fn, backward.inputs, tolerance);
}

/**
 * Expects the gradients of `fn` by its vjps (reference interpreter, f64) to equal central finite differences, and the
 * same gradients on `device` to equal the reference's.
 *
 * @param wrt the inputs to differentiate with respect to
 */
export async function checkGradients(device: Device, fn: TracedFunction, inputs: Record<string, HostTensor>, wrt: readonly string[], { tolerance = 1e-4, finiteDifferences = 1e-5 } = {}): Promise<void> {
  const { fn: withGradients, loss, inputs: weighted } = gradientsOf(fn, inputs, wrt);
  const analytic = reference(withGradients, weighted);
  const lossAt = (perturbed: Record<string, HostTensor>) => {
    const program = trace("loss", typesOf(weighted), loss);
    return interpret(program, perturbed, noStates, "f64").outputs.loss!.data[0]!;
  };
  for (const name of wrt) {
    const base = Float64Array.from(inputs[name]!.data);
    const numeric = Float64Array.from(base, (_, i) => {
      const shifted = (delta: number) => lossAt({ ...weighted, [name]: { shape: inputs[name]!.shape, data: base.map((v, j) => (i === j ? v + delta : v)) as unknown as Float32Array } });
      const step = 1e-4;
      return (shifted(step) - shifted(-step)) / (2 * step);
    });
    expectClose(analytic[name]!.data, numeric, finiteDifferences, `gradient of ${name} against finite differences`);
  }
  using compiled = compile(device, "check-gradients", withGradients);
  const actual = await compiled.run(weighted);
  for (const name of wrt) expectClose(actual[name]!.data, analytic[name]!.data, tolerance, `gradient of ${name} on ${device.description}`);
}
