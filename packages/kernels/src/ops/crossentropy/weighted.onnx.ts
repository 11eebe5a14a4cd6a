import type { OnnxContext, OnnxOperand } from "../../onnx/context.ts";
import type { OnnxGraph, Value } from "../../onnx/graph.ts";
import { evenShare, totalOf } from "./row-labels.onnx.ts";
import type { CrossEntropyAttributes } from "./op.ts";

const column = (graph: OnnxGraph, x: Value) => graph.op("Unsqueeze", [x, graph.ints([-1])]);

/**
 * What each class counts in each row, [..., classes]: (1 − smoothing) for the label and smoothing / classes for all, times
 * the class's weight; zeros in an ignored row.
 */
function targets(graph: OnnxGraph, logits: OnnxOperand, labels: Value, weight: Value, { ignoreIndex, labelSmoothing }: CrossEntropyAttributes): Value {
  const classes = logits.dims.at(-1)!;
  const numbers = graph.op("Range", [graph.scalar("i32", 0), graph.cast(graph.scalarExtent(classes), "i32"), graph.scalar("i32", 1)]);
  const oneHot = graph.number(graph.op("Equal", [numbers, column(graph, graph.clamped(labels, classes))]));
  let target = oneHot;
  if (labelSmoothing > 0) {
    const even = evenShare(graph, labelSmoothing, classes);
    target = graph.op("Add", [graph.op("Mul", [oneHot, graph.float(1 - labelSmoothing)]), even]);
  }
  target = graph.op("Mul", [target, weight]);
  const counts = graph.op("Not", [graph.op("Equal", [labels, graph.scalar("i32", ignoreIndex)])]);
  return graph.op("Where", [column(graph, counts), target, graph.float(0)]);
}

/** With a weight for each class: targets are a tensor as large as the logits. */
export function weightedCrossEntropy({ graph, inputs: [logits, labels, weight], attributes, keep }: OnnxContext<CrossEntropyAttributes>): Value[] {
  const target = targets(graph, logits!, labels!.value, weight!.value, attributes);
  const logProbabilities = graph.op("LogSoftmax", [logits!.value], { axis: -1 });
  const sum = (x: Value) => graph.op("ReduceSum", [x, graph.ints([-1])], { keepdims: 0 });
  keep("targets", target);
  keep("logProbabilities", logProbabilities);
  const losses = graph.op("Neg", [sum(graph.op("Mul", [target, logProbabilities]))]);
  // The statistics are for the gradient, which takes what was kept instead.
  if (attributes.reduction === "none") return [losses, losses];
  if (attributes.reduction === "sum") return [totalOf(graph, losses), losses];
  const weights = totalOf(graph, countedWeight(graph, logits!, labels!.value, weight!.value, attributes));
  const factor = graph.op("Div", [graph.float(1), graph.op("Where", [graph.op("Equal", [weights, graph.float(0)]), graph.float(1), weights])]);
  return [graph.op("Mul", [totalOf(graph, losses), factor]), losses, factor];
}

/** The weight of a row's own class, whatever the smoothing. */
const countedWeight = (graph: OnnxGraph, logits: OnnxOperand, labels: Value, weight: Value, attributes: CrossEntropyAttributes): Value =>
  graph.op("ReduceSum", [targets(graph, logits, labels, weight, { ...attributes, labelSmoothing: 0 }), graph.ints([-1])], { keepdims: 0 });

/** dy · (Σ targets · softmax − targets). */
export function weightedCrossEntropyGradient({ graph, inputs: [, , statistics, g, factor], attributes: { reduction } }: OnnxContext<CrossEntropyAttributes>): Value[] {
  const target = statistics!.kept("targets")!;
  const mass = graph.op("ReduceSum", [target, graph.ints([-1])], { keepdims: 1 });
  const expected = graph.op("Mul", [graph.op("Exp", [statistics!.kept("logProbabilities")!]), mass]);
  const scale = reduction === "none" ? column(graph, g!.value) : reduction === "sum" ? g!.value : graph.op("Mul", [g!.value, factor!.value]);
  return [graph.op("Mul", [graph.op("Sub", [expected, target]), scale])];
}
