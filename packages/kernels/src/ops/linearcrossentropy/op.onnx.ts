import type { OnnxContext } from "../../onnx/context.ts";
import type { Dim } from "../../onnx/dims.ts";
import type { OnnxGraph, Value } from "../../onnx/graph.ts";
import { evenShare, RowLabels } from "../crossentropy/row-labels.onnx.ts";
import type { LinearCrossEntropyAttributes } from "./op.ts";

type Context = OnnxContext<LinearCrossEntropyAttributes>;

/** Logits in memory at once: what a processor's caches hold. */
const SLICE_BYTES = 16 * 2 ** 20;
/** With fewer rows at a time, adding up the weight's gradient costs more than the caches save. */
const MIN_SLICE_ROWS = 128;
/** Where the number of classes is known only when it runs. */
const SLICE_ROWS = 512;

/** Rows whose logits are in memory at once, at most. */
export type SliceRows = (classes: Dim) => number;

export const sliceRows: SliceRows = (classes) => (typeof classes === "number" ? Math.max(MIN_SLICE_ROWS, Math.floor(SLICE_BYTES / 4 / classes)) : SLICE_ROWS);

/** The losses, and with them the gradients but for a factor, so that no logits are kept or made again. */
export function onnxLinearCrossEntropy(context: Context, mostRows: SliceRows): Value[] {
  const { attributes: { reduction }, outputs: [, statistics], keep } = context;
  const rows = new Rows(context, mostRows);
  const { losses, gradients } = rows.run(statistics!.wanted && reduction !== "none" ? rows.labels.counts : undefined);
  for (const [what, value] of Object.entries(gradients ?? {})) keep(what, value);
  return rows.labels.reduced(losses, reduction);
}

export function onnxLinearCrossEntropyGradient(context: Context, mostRows: SliceRows): Value[] {
  const { graph, attributes: { bias, reduction }, inputs: [hidden, weight, labels, statistics, g, factor] } = context;
  const wanted = ["hidden", ...(bias ? ["bias"] : []), "weight"];
  if (reduction === "none") {
    const rows = new Rows({ ...context, inputs: [hidden!, weight!, labels!, ...context.inputs.slice(5)] }, mostRows);
    const { gradients } = rows.run(graph.op("Mul", [rows.labels.counts, graph.reshape(g!.value, [-1])]));
    return wanted.map((what) => gradients![what]!);
  }
  const scale = reduction === "mean" ? graph.op("Mul", [g!.value, factor!.value]) : g!.value;
  return wanted.map((what) => graph.op("Mul", [statistics!.kept(what)!, scale]));
}

/** Hidden states in slices of equal size, as many as the logits of all rows need. */
class Rows {
  readonly labels: RowLabels;
  private readonly graph: OnnxGraph;
  private readonly classes: Dim;
  /** f32 [rows, size]. */
  private readonly hidden: Value;
  /** f32 [classes, size]. */
  private readonly weight: Value;
  private readonly bias: Value | undefined;
  /** i64 scalars. */
  private readonly numRows: Value;
  private readonly numSlices: Value;
  private readonly sliceRows: Value;

  constructor(
    private readonly context: Context,
    mostRows: SliceRows,
  ) {
    const { graph, inputs: [hidden, weight, labels, bias], attributes: { ignoreIndex } } = context;
    this.graph = graph;
    this.classes = weight!.dims[0]!;
    this.hidden = graph.op("Flatten", [hidden!.value], { axis: hidden!.dims.length - 1 });
    this.weight = weight!.dtype === "f16" ? graph.cast(weight!.value, "f32") : weight!.value;
    this.bias = bias?.value;
    this.labels = new RowLabels(graph, labels!.value, this.classes, ignoreIndex);
    const one = graph.scalarExtent(1);
    const atLeastOne = (x: Value) => graph.op("Max", [x, one]);
    const perPart = (x: Value, part: Value) => graph.op("Div", [graph.op("Sub", [graph.op("Add", [x, part]), one]), part]);
    this.numRows = graph.op("Squeeze", [graph.op("Shape", [this.hidden], { start: 0, end: 1 })]);
    this.numSlices = atLeastOne(perPart(this.numRows, graph.scalarExtent(mostRows(this.classes))));
    this.sliceRows = atLeastOne(perPart(this.numRows, this.numSlices));
  }

  /**
   * @param scale f32 [rows]: what each row counts in the gradients; without it there are none
   * @returns losses in the labels' shape; gradients in the shapes of what they are of
   */
  run(scale: Value | undefined): { losses: Value; gradients: Readonly<Record<string, Value>> | undefined } {
    const { graph, context: { inputs: [hidden, , labels], attributes: { labelSmoothing } } } = this;
    const scaled = scale && graph.op("Mul", [this.hidden, column(graph, scale)]);
    const size = hidden!.dims.at(-1)!;
    const zeros = (dims: readonly Dim[]) => graph.op("Expand", [graph.float(0), graph.extents(dims)]);
    const slices = [
      { value: this.sliced(this.hidden, [size]), type: "f32" as const },
      { value: this.sliced(this.labels.column, [1]), type: "i64" as const },
      ...(scale ? [{ value: this.sliced(scaled!, [size]), type: "f32" as const }, { value: this.sliced(column(graph, scale), [1]), type: "f32" as const }] : []),
    ];
    const sums = scale ? [zeros([size, this.classes]), ...(this.bias ? [zeros([1, this.classes])] : [])] : [];
    const found = graph.scan(sums, slices, ([forWeight, forBias], [states, ownLabels, ownScaled, ownScale]) => {
      const product = graph.matmul(states!, this.weight, { transposeB: true });
      const logProbabilities = graph.op("LogSoftmax", [this.bias ? graph.op("Add", [product, this.bias]) : product], { axis: -1 });
      const losses = [graph.op("GatherElements", [logProbabilities, ownLabels!], { axis: 1 }), ...(labelSmoothing > 0 ? [graph.op("ReduceSum", [logProbabilities, graph.ints([1])], { keepdims: 1 })] : [])];
      if (!scale) return { carried: [], slices: losses };
      const probabilities = graph.op("Exp", [logProbabilities]);
      // The weight's gradient is summed up transposed, as then the probabilities are the right operand, which is read row by row.
      return {
        carried: [
          graph.op("Add", [forWeight!, graph.matmul(ownScaled!, probabilities, { transposeA: true })]),
          ...(forBias ? [graph.op("Add", [forBias, graph.matmul(ownScale!, probabilities, { transposeA: true })])] : []),
        ],
        slices: [...losses, graph.op("MatMul", [probabilities, this.weight])],
      };
    });
    const labelled = this.joined(found.slices[0]!, [1]);
    const summed = labelSmoothing > 0 ? this.joined(found.slices[1]!, [1]) : undefined;
    const losses = graph.reshape(this.labels.losses(labelled, summed, labelSmoothing), labels!.dims);
    if (!scale) return { losses, gradients: undefined };
    const ofWeight = graph.op("Transpose", [found.carried[0]!], { perm: [1, 0] });
    const ofHidden = this.joined(found.slices.at(-1)!, [size]);
    return { losses, gradients: this.gradients({ ofHidden, ofWeight, ofBias: found.carried[1], scale, scaled: scaled!, shape: hidden!.dims }) };
  }

  /** softmax − targets: the softmax's part is there, the targets' is taken away. */
  private gradients({ ofHidden, ofWeight, ofBias, scale, scaled, shape }: { ofHidden: Value; ofWeight: Value; ofBias: Value | undefined; scale: Value; scaled: Value; shape: readonly Dim[] }): Record<string, Value> {
    const { graph, labels, context: { attributes: { labelSmoothing } } } = this;
    const even = evenShare(graph, labelSmoothing, this.classes);
    const own = (x: Value) => (labelSmoothing > 0 ? graph.op("Mul", [x, graph.float(1 - labelSmoothing)]) : x);
    const minus = (x: Value, y: Value) => graph.op("Sub", [x, y]);
    const evenly = (x: Value, sum: Value) => (labelSmoothing > 0 ? minus(x, graph.op("Mul", [sum, even])) : x);
    const sumOfRows = (x: Value) => graph.op("ReduceSum", [x, graph.ints([0])], { keepdims: 1 });
    // Not ScatterND, which loses updates where a label repeats.
    const scatter = (x: Value, rows: Value, columns: Dim) => {
      const numbers = graph.op("Expand", [labels.column, graph.op("Concat", [graph.reshape(this.numRows, [1]), graph.extents([columns])], { axis: 0 })]);
      return graph.op("ScatterElements", [x, numbers, graph.op("Neg", [own(rows)])], { axis: 0, reduction: "add" });
    };
    const targets = evenly(minus(ofHidden, own(graph.op("Gather", [this.weight, graph.op("Squeeze", [labels.column, graph.ints([1])])]))), sumOfRows(this.weight));
    return {
      hidden: graph.reshape(graph.op("Mul", [targets, column(graph, scale)]), shape),
      weight: scatter(evenly(ofWeight, sumOfRows(scaled)), scaled, shape.at(-1)!),
      ...(ofBias && { bias: graph.reshape(scatter(evenly(graph.reshape(ofBias, [this.classes, 1]), sumOfRows(column(graph, scale))), column(graph, scale), 1), [this.classes]) }),
    };
  }

  /** [rows, …] → [slices, rows of a slice, …], with zeros behind the last row. */
  private sliced(x: Value, dims: readonly Dim[]): Value {
    const { graph } = this;
    const vector = (value: Value) => graph.reshape(value, [1]);
    const missing = graph.op("Sub", [graph.op("Mul", [this.numSlices, this.sliceRows]), this.numRows]);
    const padded = graph.op("Pad", [x, graph.op("Concat", [graph.ints([0, 0]), vector(missing), graph.ints([0])], { axis: 0 })]);
    return graph.op("Reshape", [padded, graph.op("Concat", [vector(this.numSlices), vector(this.sliceRows), graph.extents(dims)], { axis: 0 })]);
  }

  /** [slices, rows of a slice, …] → [rows, …]. */
  private joined(x: Value, dims: readonly Dim[]): Value {
    const { graph } = this;
    const rows = graph.op("Reshape", [x, graph.op("Concat", [graph.ints([-1]), graph.extents(dims)], { axis: 0 })]);
    return graph.op("Slice", [rows, graph.ints([0]), graph.reshape(this.numRows, [1]), graph.ints([0])]);
  }
}

const column = (graph: OnnxGraph, x: Value) => graph.op("Unsqueeze", [x, graph.ints([1])]);
