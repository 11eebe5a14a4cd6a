import type { Tensor } from "../../program/tensor.ts";
import { asTensor, emitOne, type TensorLike } from "../../program/trace.ts";
import type { ComputedDType, DType } from "../../program/types.ts";
import { fromHalfOp, toHalfOp } from "../half/op.ts";
import { div, mul, sub } from "./arithmetic.ts";
import { defineElementwise } from "./define.ts";

const none = {};

const expOp = defineElementwise({
  name: "exp",
  operands: 1,
  accepts: "f32",
  wgsl: ([x]) => `exp(${x})`,
  reference: ([x]) => Math.exp(x!),
  onnx: (graph, operands) => graph.op("Exp", operands),
  vjp: ({ outputs: [y] }, g) => [mul(g, y!)],
});

const logOp = defineElementwise({
  name: "log",
  operands: 1,
  accepts: "f32",
  wgsl: ([x]) => `log(${x})`,
  reference: ([x]) => Math.log(x!),
  onnx: (graph, operands) => graph.op("Log", operands),
  vjp: ({ inputs: [x] }, g) => [div(g, x!)],
});

const sqrtOp = defineElementwise({
  name: "sqrt",
  operands: 1,
  accepts: "f32",
  wgsl: ([x]) => `sqrt(${x})`,
  reference: ([x]) => Math.sqrt(x!),
  onnx: (graph, operands) => graph.op("Sqrt", operands),
  vjp: ({ outputs: [y] }, g) => [div(mul(g, 0.5), y!)],
});

const tanhOp = defineElementwise({
  name: "tanh",
  operands: 1,
  accepts: "f32",
  // SwiftShader's tanh(100) is NaN; tanh(±15) is ±1 in f32.
  wgsl: ([x], _, spell) => `tanh(clamp(${x}, ${spell.constant(-15)}, ${spell.constant(15)}))`,
  reference: ([x]) => Math.tanh(x!),
  onnx: (graph, operands) => graph.op("Tanh", operands),
  vjp: ({ outputs: [y] }, g) => [mul(g, sub(1, mul(y!, y!)))],
});

const sigmoidOp = defineElementwise({
  name: "sigmoid",
  operands: 1,
  accepts: "f32",
  // exp(88.7) overflows f32; past ±80 the result is 0 or 1 already.
  wgsl: ([x], _, spell) => `(${spell.constant(1)} / (${spell.constant(1)} + exp(-clamp(${x}, ${spell.constant(-80)}, ${spell.constant(80)}))))`,
  reference: ([x]) => 1 / (1 + Math.exp(-x!)),
  onnx: (graph, operands) => graph.op("Sigmoid", operands),
  vjp: ({ outputs: [y] }, g) => [mul(g, mul(y!, sub(1, y!)))],
});

const castOp = defineElementwise<{ to: ComputedDType }>({
  name: "cast",
  operands: 1,
  accepts: "any",
  result: ({ to }) => to,
  wgsl: ([x], { to }, spell) => `${to === "f32" ? spell.float : to === "i32" ? spell.signed : spell.unsigned}(${x})`,
  reference: ([x], { to }) => (to === "f32" ? x! : Math.trunc(x!)),
  onnx: (graph, [x], { to }) => graph.cast(x!, to),
  vjp: ({ inputs: [x], attributes }, g) => [x!.dtype === "f32" && attributes.to === "f32" ? g : null],
});

/** eˣ. */
export const exp = (x: TensorLike): Tensor => emitOne(expOp, [x], none);
/** Natural logarithm. */
export const log = (x: TensorLike): Tensor => emitOne(logOp, [x], none);
/** Square root. */
export const sqrt = (x: TensorLike): Tensor => emitOne(sqrtOp, [x], none);
/** Hyperbolic tangent. */
export const tanh = (x: TensorLike): Tensor => emitOne(tanhOp, [x], none);
/** 1 / (1 + e⁻ˣ). */
export const sigmoid = (x: TensorLike): Tensor => emitOne(sigmoidOp, [x], none);

/**
 * The same numbers as another dtype. Floats become integers by cutting towards zero. f32 becomes f16 by rounding to the
 * nearest, ties to even, and what is past ±65504 becomes ±65504; no gradient passes through f16.
 */
export function cast(x: TensorLike, to: DType): Tensor {
  const tensor = asTensor(x);
  if (tensor.dtype === to) return tensor;
  if (to === "f16") return emitOne(toHalfOp, [cast(tensor, "f32")], none);
  if (tensor.dtype === "f16") return cast(emitOne(fromHalfOp, [tensor], none), to);
  return emitOne(castOp, [tensor], { to });
}
