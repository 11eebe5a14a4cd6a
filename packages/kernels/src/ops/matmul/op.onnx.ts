import type { OnnxContext, OnnxOperand } from "../../onnx/context.ts";
import type { OnnxGraph, Value } from "../../onnx/graph.ts";
import { int8Matmul, isWorthQuantizing, quantizeWeight } from "../../onnx/quantize.ts";
import { onnxActivation } from "../activation/op.onnx.ts";
import { optionalInputs, type MatmulAttributes, type MatmulExtra, type ProductAttributes } from "./op.ts";

export function onnxMatmul({ graph, inputs: [a, b, ...others], outputs, attributes }: Pick<OnnxContext<MatmulAttributes>, "graph" | "inputs" | "outputs" | "attributes">): Value[] {
  const { transposeA, transposeB } = attributes;
  const optional = optionalInputs(others, attributes);
  const int8 = transposeA ? null : int8Product(graph, a!, b!, transposeB, optional.bias);
  if (int8) return onnxEnd(graph, int8, { ...optional, bias: undefined }, attributes, outputs);
  return onnxEnd(graph, floatProduct(graph, a!, b!, transposeA, transposeB), optional, attributes, outputs);
}

/** Bias, activation, residual and gate of a product. */
export function onnxEnd(graph: OnnxGraph, product: Value, { bias, extra }: { bias: OnnxOperand | undefined; extra: OnnxOperand | undefined }, attributes: ProductAttributes, outputs: OnnxContext<object>["outputs"]): Value[] {
  const { activation } = attributes;
  const ended = (result: Value) => (attributes.extra ? endWith(graph, attributes.extra, result, extra!.value) : result);
  const trained = outputs[1]?.wanted ?? false;
  if (bias && activation === "gelu" && !trained && graph.target === "onnxruntime") return [ended(graph.microsoft("BiasGelu", [product, bias.value])), ""];
  const y = bias ? graph.op("Add", [product, bias.value]) : product;
  if (activation === "identity") return [ended(y)];
  return [ended(onnxActivation(graph, activation, y)), y];
}

function endWith(graph: OnnxGraph, extra: MatmulExtra, result: Value, other: Value): Value {
  if (extra.kind === "residual") return graph.op("Add", [result, other]);
  return graph.op("Mul", [result, extra.activation === "identity" ? other : onnxActivation(graph, extra.activation, other)]);
}

/** With the bias, where the graph wants int8 and the weight is a constant; null elsewhere. */
function int8Product(graph: OnnxGraph, a: OnnxOperand, b: OnnxOperand, transposeB: boolean, bias: OnnxOperand | undefined): Value | null {
  const [inputs, outputs] = transposeB ? b.dims.toReversed() : b.dims;
  if (!graph.int8 || !(b.content instanceof Float32Array) || b.dims.length !== 2 || !isWorthQuantizing(inputs!, outputs!)) return null;
  return int8Matmul(graph, a.value, b.value, quantizeWeight(b.content, inputs as number, outputs as number, transposeB), bias?.value);
}

function floatProduct(graph: OnnxGraph, a: OnnxOperand, b: OnnxOperand, transposeA: boolean, transposeB: boolean): Value {
  const value = b.dtype === "f16" ? graph.cast(b.value, "f32") : b.value;
  // A constant is transposed once, when the session is made, and packed there for the multiplication.
  if (b.content && transposeB && !transposeA && b.dims.length === 2) return graph.op("MatMul", [a.value, graph.op("Transpose", [value], { perm: [1, 0] })]);
  return graph.matmul(a.value, value, { transposeA, transposeB, rank: transposeA ? a.dims.length : b.dims.length });
}
