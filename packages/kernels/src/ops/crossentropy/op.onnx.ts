import type { OnnxContext } from "../../onnx/context.ts";
import type { Value } from "../../onnx/graph.ts";
import { evenShare, RowLabels } from "./row-labels.onnx.ts";
import { weightedCrossEntropy, weightedCrossEntropyGradient } from "./weighted.onnx.ts";
import type { CrossEntropyAttributes } from "./op.ts";

export function onnxCrossEntropy(context: OnnxContext<CrossEntropyAttributes>): Value[] {
  const { graph, inputs: [logits, labels, weight], attributes: { ignoreIndex, labelSmoothing, reduction }, keep } = context;
  if (weight) return weightedCrossEntropy(context);
  const rows = new RowLabels(graph, labels!.value, logits!.dims.at(-1)!, ignoreIndex);
  const logProbabilities = graph.op("LogSoftmax", [graph.reshape(logits!.value, [-1, logits!.dims.at(-1)!])], { axis: -1 });
  keep("logProbabilities", logProbabilities);
  const labelled = graph.op("GatherElements", [logProbabilities, rows.column], { axis: 1 });
  const summed = labelSmoothing > 0 ? graph.op("ReduceSum", [logProbabilities, graph.ints([1])], { keepdims: 1 }) : undefined;
  return rows.reduced(graph.reshape(rows.losses(labelled, summed, labelSmoothing), labels!.dims), reduction);
}

/** dy · (softmax − targets). */
export function onnxCrossEntropyGradient(context: OnnxContext<CrossEntropyAttributes>): Value[] {
  const { graph, inputs: [logits, labels, statistics, g, ...others], attributes: { ignoreIndex, labelSmoothing, reduction } } = context;
  const [factor, weight] = reduction === "mean" ? others : [undefined, ...others];
  if (weight) return weightedCrossEntropyGradient(context);
  const classes = logits!.dims.at(-1)!;
  const rows = new RowLabels(graph, labels!.value, classes, ignoreIndex);
  const mul = (x: Value, y: Value) => graph.op("Mul", [x, y]);
  const dy = reduction === "none" ? graph.reshape(g!.value, [-1]) : factor ? mul(g!.value, factor.value) : g!.value;
  const scale = graph.op("Unsqueeze", [mul(rows.counts, dy), graph.ints([1])]); // [rows, 1]
  const softmax = mul(graph.op("Exp", [statistics!.kept("logProbabilities")!]), scale);
  const even = evenShare(graph, labelSmoothing, classes);
  const unsmoothed = labelSmoothing > 0 ? graph.op("Sub", [softmax, mul(scale, even)]) : softmax;
  const target = graph.op("Neg", [labelSmoothing > 0 ? mul(scale, graph.float(1 - labelSmoothing)) : scale]);
  return [graph.reshape(graph.op("ScatterElements", [unsmoothed, rows.column, target], { axis: 1, reduction: "add" }), logits!.dims)];
}
