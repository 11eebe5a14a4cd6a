import type { Tensor } from "../../program/tensor.ts";
import { emitOne, type TensorLike } from "../../program/trace.ts";
import { defineElementwise } from "./define.ts";

const none = {};

const addOp = defineElementwise({
  name: "add",
  operands: 2,
  accepts: "same",
  wgsl: ([a, b]) => `(${a} + ${b})`,
  reference: ([a, b]) => a! + b!,
  onnx: (graph, operands) => graph.op("Add", operands),
  vjp: (_, g) => [g, g],
});

const subOp = defineElementwise({
  name: "sub",
  operands: 2,
  accepts: "same",
  wgsl: ([a, b]) => `(${a} - ${b})`,
  reference: ([a, b]) => a! - b!,
  onnx: (graph, operands) => graph.op("Sub", operands),
  vjp: (_, g) => [g, neg(g)],
});

const mulOp = defineElementwise({
  name: "mul",
  operands: 2,
  accepts: "same",
  wgsl: ([a, b]) => `(${a} * ${b})`,
  reference: ([a, b]) => a! * b!,
  onnx: (graph, operands) => graph.op("Mul", operands),
  vjp: ({ inputs: [a, b] }, g) => [mul(g, b!), mul(g, a!)],
});

const divOp = defineElementwise({
  name: "div",
  operands: 2,
  accepts: "f32",
  wgsl: ([a, b]) => `(${a} / ${b})`,
  reference: ([a, b]) => a! / b!,
  onnx: (graph, operands) => graph.op("Div", operands),
  vjp: ({ inputs: [, b], outputs: [y] }, g) => [div(g, b!), neg(div(mul(g, y!), b!))],
});

const negOp = defineElementwise({
  name: "neg",
  operands: 1,
  accepts: "f32",
  wgsl: ([x]) => `(-${x})`,
  reference: ([x]) => -x!,
  onnx: (graph, operands) => graph.op("Neg", operands),
  vjp: (_, g) => [neg(g)],
});

const maximumOp = defineElementwise({
  name: "maximum",
  operands: 2,
  accepts: "f32",
  wgsl: ([a, b]) => `max(${a}, ${b})`,
  reference: ([a, b]) => Math.max(a!, b!),
  onnx: (graph, operands) => graph.op("Max", operands),
  // Ties give the gradient to the first operand.
  vjp: ({ inputs: [a, b] }, g) => [where(less(a!, b!), 0, g), where(less(a!, b!), g, 0)],
});

const lessOp = defineElementwise({
  name: "less",
  operands: 2,
  accepts: "same",
  result: "f32",
  wgsl: ([a, b], _, spell) => `select(${spell.constant(0)}, ${spell.constant(1)}, ${a} < ${b})`,
  reference: ([a, b]) => (a! < b! ? 1 : 0),
  onnx: (graph, operands) => graph.number(graph.op("Less", operands)),
  vjp: () => [null, null],
});

const equalOp = defineElementwise({
  name: "equal",
  operands: 2,
  accepts: "same",
  result: "f32",
  wgsl: ([a, b], _, spell) => `select(${spell.constant(0)}, ${spell.constant(1)}, ${a} == ${b})`,
  reference: ([a, b]) => (a === b ? 1 : 0),
  onnx: (graph, operands) => graph.number(graph.op("Equal", operands)),
  vjp: () => [null, null],
});

const whereOp = defineElementwise({
  name: "where",
  operands: 3,
  accepts: "f32",
  wgsl: ([condition, a, b], _, spell) => `select(${b}, ${a}, ${condition} != ${spell.constant(0)})`,
  reference: ([condition, a, b]) => (condition !== 0 ? a! : b!),
  onnx: (graph, [condition, a, b]) => graph.op("Where", [graph.truth(condition!), a!, b!]),
  vjp: ({ inputs: [condition] }, g) => [null, where(condition!, g, 0), where(condition!, 0, g)],
});

/** a + b, broadcasting. */
export const add = (a: TensorLike, b: TensorLike): Tensor => emitOne(addOp, [a, b], none);
/** a − b, broadcasting. */
export const sub = (a: TensorLike, b: TensorLike): Tensor => emitOne(subOp, [a, b], none);
/** a · b element by element, broadcasting. */
export const mul = (a: TensorLike, b: TensorLike): Tensor => emitOne(mulOp, [a, b], none);
/** a / b element by element, broadcasting. */
export const div = (a: TensorLike, b: TensorLike): Tensor => emitOne(divOp, [a, b], none);
/** −x. */
export const neg = (x: TensorLike): Tensor => emitOne(negOp, [x], none);
/** The larger of a and b. */
export const maximum = (a: TensorLike, b: TensorLike): Tensor => emitOne(maximumOp, [a, b], none);
/** 1 where a < b, else 0. */
export const less = (a: TensorLike, b: TensorLike): Tensor => emitOne(lessOp, [a, b], none);
/** 1 where a = b, else 0. */
export const equal = (a: TensorLike, b: TensorLike): Tensor => emitOne(equalOp, [a, b], none);
/** a where the condition is not 0, else b. */
export const where = (condition: TensorLike, a: TensorLike, b: TensorLike): Tensor => emitOne(whereOp, [condition, a, b], none);
