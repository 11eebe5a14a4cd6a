import type { OnnxContext, OnnxOperand } from "../../onnx/context.ts";
import type { OnnxGraph, Value } from "../../onnx/graph.ts";
import { onnxActivation } from "../activation/op.onnx.ts";
import type { MatmulAttributes } from "./op.ts";

export function onnxMatmul({ graph, inputs: [a, b, bias], outputs, attributes: { transposeA, transposeB, activation } }: OnnxContext<MatmulAttributes>): Value[] {
  const rows = product(graph, a!, b!, transposeA, transposeB);
  if (bias && activation === "gelu" && !outputs[1]!.wanted && graph.target === "onnxruntime") return [graph.microsoft("BiasGelu", [rows, bias.value]), ""];
  const y = bias ? graph.op("Add", [rows, bias.value]) : rows;
  if (activation === "identity") return [y];
  return [activation === "tanh" ? graph.op("Tanh", [y]) : onnxActivation(graph, activation, y), y];
}

function product(graph: OnnxGraph, a: OnnxOperand, b: OnnxOperand, transposeA: boolean, transposeB: boolean): Value {
  // A constant is transposed once, when the session is made, and packed there for the multiplication.
  if (b.constant && transposeB && !transposeA && b.dims.length === 2) return graph.op("MatMul", [a.value, graph.op("Transpose", [b.value], { perm: [1, 0] })]);
  return graph.matmul(a.value, b.value, { transposeA, transposeB, rank: transposeA ? a.dims.length : b.dims.length });
}
