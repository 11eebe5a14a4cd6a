import type { OnnxContext, OnnxOperand } from "../../onnx/context.ts";
import type { Dim } from "../../onnx/dims.ts";
import { elementTypes } from "../../onnx/element-types.ts";
import type { OnnxGraph, Value } from "../../onnx/graph.ts";
import { int8Gather, isWorthQuantizing } from "../../onnx/quantize.ts";

/** Ids cut to [0, rows): onnxruntime refuses a whole batch for one id outside. */
function inside(graph: OnnxGraph, ids: OnnxOperand, rows: Dim): Value {
  const last = graph.op("Cast", [graph.op("Sub", [graph.scalarExtent(rows), graph.scalarExtent(1)])], { to: elementTypes.i32 });
  return graph.op("Min", [graph.op("Max", [ids.value, graph.scalar("i32", 0)]), last]);
}

export function onnxEmbedding({ graph, inputs: [table, ids] }: OnnxContext<object>): Value[] {
  const [rows, size] = table!.dims;
  const known = inside(graph, ids!, rows!);
  // Embeddings are half of a small model's file. On this library's own runtime they only take room, and stay exact.
  const int8 = graph.int8 && graph.target === "portable" && table!.content && isWorthQuantizing(rows!, size!);
  return [int8 ? int8Gather(graph, table!.value, table!.content as Float32Array, rows as number, known) : graph.op("Gather", [table!.value, known])];
}

export function onnxScatterAdd({ graph, inputs: [ids, updates], outputs: [y] }: OnnxContext<{ rows: number }>): Value[] {
  const [rows, features] = y!.dims;
  const column = (x: Value) => graph.op("Reshape", [x, graph.ints([-1, 1])]);
  const clamped = inside(graph, ids!, rows!);
  const counts = column(graph.op("Equal", [clamped, ids!.value]));
  const added = graph.op("Where", [counts, graph.reshape(updates!.value, [-1, features!]), graph.float(0)]);
  const zeros = graph.op("Expand", [graph.float(0), graph.extents([rows!, features!])]);
  // Not ScatterND, which goes faster by several threads and loses updates where ids repeat.
  const everyFeature = graph.op("Expand", [graph.op("Cast", [column(clamped)], { to: elementTypes.i64 }), graph.extents([1, features!])]);
  return [graph.op("ScatterElements", [zeros, everyFeature, added], { axis: 0, reduction: "add" })];
}
