import type { OnnxContext, OnnxOperand } from "../../onnx/context.ts";
import type { OnnxGraph, Value } from "../../onnx/graph.ts";
import { int8Matmul, isWorthQuantizing, quantizeWeight } from "../../onnx/quantize.ts";
import { onnxActivation } from "../activation/op.onnx.ts";
import { optionalInputs, type MatmulAttributes, type MatmulExtra } from "./op.ts";

export function onnxMatmul({ graph, inputs: [a, b, ...others], outputs, attributes }: OnnxContext<MatmulAttributes>): Value[] {
  const { transposeA, transposeB, activation } = attributes;
  const { bias, extra } = optionalInputs(others, attributes);
  const ended = (result: Value) => (attributes.extra ? endWith(graph, attributes.extra, result, extra!.value) : result);
  const int8 = transposeA ? null : int8Product(graph, a!, b!, transposeB, bias);
  const product = int8 ?? floatProduct(graph, a!, b!, transposeA, transposeB);
  const trained = outputs[1]?.wanted ?? false;
  if (!int8 && bias && activation === "gelu" && !trained && graph.target === "onnxruntime") return [ended(graph.microsoft("BiasGelu", [product, bias.value])), ""];
  const y = bias && !int8 ? graph.op("Add", [product, bias.value]) : product;
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
  if (!graph.int8 || !b.content || b.dims.length !== 2 || !isWorthQuantizing(inputs!, outputs!)) return null;
  return int8Matmul(graph, a.value, b.value, quantizeWeight(b.content as Float32Array, inputs as number, outputs as number, transposeB), bias?.value);
}

function floatProduct(graph: OnnxGraph, a: OnnxOperand, b: OnnxOperand, transposeA: boolean, transposeB: boolean): Value {
  // A constant is transposed once, when the session is made, and packed there for the multiplication.
  if (b.content && transposeB && !transposeA && b.dims.length === 2) return graph.op("MatMul", [a.value, graph.op("Transpose", [b.value], { perm: [1, 0] })]);
  return graph.matmul(a.value, b.value, { transposeA, transposeB, rank: transposeA ? a.dims.length : b.dims.length });
}
