import type { OnnxContext } from "../../onnx/context.ts";
import type { Value } from "../../onnx/graph.ts";
import { int8Gather, isWorthQuantizing } from "../../onnx/quantize.ts";

export function onnxEmbedding({ graph, inputs: [table, ids, ...addends] }: OnnxContext<object>): Value[] {
  const [rows, size] = table!.dims;
  const known = graph.clamped(ids!.value, rows!);
  // Embeddings are half of a small model's file. On this library's own runtime they only take room, and stay exact.
  const int8 = graph.int8 && graph.target === "portable" && table!.content && isWorthQuantizing(rows!, size!);
  const found = int8 ? int8Gather(graph, table!.value, table!.content as Float32Array, rows as number, known) : graph.op("Gather", [table!.value, known]);
  return [addends.reduce((total, { value }) => graph.op("Add", [total, value]), found)];
}

export function onnxScatterAdd({ graph, inputs: [ids, updates], outputs: [y] }: OnnxContext<{ rows: number }>): Value[] {
  const [rows, features] = y!.dims;
  const column = (x: Value) => graph.op("Reshape", [x, graph.ints([-1, 1])]);
  const clamped = graph.clamped(ids!.value, rows!);
  const counts = column(graph.op("Equal", [clamped, ids!.value]));
  const added = graph.op("Where", [counts, graph.reshape(updates!.value, [-1, features!]), graph.float(0)]);
  const zeros = graph.op("Expand", [graph.float(0), graph.extents([rows!, features!])]);
  // Not ScatterND, which goes faster by several threads and loses updates where ids repeat.
  const everyFeature = graph.op("Expand", [graph.cast(column(clamped), "i64"), graph.extents([1, features!])]);
  return [graph.op("ScatterElements", [zeros, everyFeature, added], { axis: 0, reduction: "add" })];
}
