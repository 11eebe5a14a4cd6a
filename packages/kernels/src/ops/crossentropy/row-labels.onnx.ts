import type { Dim } from "../../onnx/dims.ts";
import type { OnnxGraph, Value } from "../../onnx/graph.ts";
import type { LossReduction } from "../losses/reduction.ts";

/** One label for each row of logits. What is made of them goes by their number, with no tensor of targets as large as the logits. */
export class RowLabels {
  /** i64 [rows, 1]; of an ignored row some class. */
  readonly column: Value;
  /** f32 [rows]: 1, and 0 for an ignored row. */
  readonly counts: Value;

  constructor(
    private readonly graph: OnnxGraph,
    labels: Value,
    private readonly classes: Dim,
    ignoreIndex: number,
  ) {
    const rows = graph.reshape(labels, [-1]);
    this.column = graph.cast(graph.op("Unsqueeze", [graph.clamped(rows, classes), graph.ints([1])]), "i64");
    this.counts = graph.number(graph.op("Not", [graph.op("Equal", [rows, graph.scalar("i32", ignoreIndex)])]));
  }

  /** Losses [rows], of log-probabilities [rows, 1]: the labels', and for smoothing the sums over all classes. */
  losses(labelled: Value, summed: Value | undefined, labelSmoothing: number): Value {
    const { graph } = this;
    const mul = (x: Value, y: Value) => graph.op("Mul", [x, y]);
    const even = evenShare(graph, labelSmoothing, this.classes);
    const score = summed ? graph.op("Add", [mul(labelled, graph.float(1 - labelSmoothing)), mul(summed, even)]) : labelled;
    return graph.op("Neg", [mul(graph.op("Squeeze", [score, graph.ints([1])]), this.counts)]);
  }

  /** What the op gives: the losses or their total, a value for the statistics, which nothing reads, and a mean's factor. */
  reduced(losses: Value, reduction: LossReduction): Value[] {
    const { graph } = this;
    if (reduction === "none") return [losses, losses];
    const total = totalOf(graph, losses);
    if (reduction === "sum") return [total, losses];
    const factor = graph.op("Div", [graph.float(1), graph.op("Max", [totalOf(graph, this.counts), graph.float(1)])]);
    return [graph.op("Mul", [total, factor]), losses, factor];
  }
}

/** The sum of all elements. */
export const totalOf = (graph: OnnxGraph, x: Value) => graph.op("ReduceSum", [graph.reshape(x, [-1]), graph.ints([0])], { keepdims: 0 });

/** What smoothing gives to each class. */
export const evenShare = (graph: OnnxGraph, labelSmoothing: number, classes: Dim) => graph.op("Div", [graph.float(labelSmoothing), graph.cast(graph.scalarExtent(classes), "f32")]);
