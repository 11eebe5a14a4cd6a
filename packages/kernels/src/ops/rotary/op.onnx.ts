import type { OnnxContext } from "../../onnx/context.ts";
import type { Dim } from "../../onnx/dims.ts";
import type { OnnxGraph, Value } from "../../onnx/graph.ts";
import type { RotaryAttributes } from "./op.ts";

/** Positions [length], or [batch, length] with lengths (i32 or u32 [batch]): `begin` or lengths − length, and so on. */
export function onnxPositions(graph: OnnxGraph, length: Dim, begin: Value, lengths?: Value): Value {
  const steps = graph.op("Range", [graph.scalarExtent(0), graph.scalarExtent(length), graph.scalarExtent(1)]);
  if (!lengths) return graph.op("Add", [steps, begin]);
  const ends = graph.op("Unsqueeze", [graph.cast(lengths, "i64"), graph.ints([1])]);
  return graph.op("Add", [steps, graph.op("Sub", [ends, graph.scalarExtent(length)])]);
}

export interface Rotation {
  /** f32 [positions, dims]. */
  readonly table: Value;
  readonly positions: number;
  readonly dims: number;
  readonly interleaved: boolean;
  readonly inverse: boolean;
}

/** x [batch, length, heads, headDim], each token turned by the angles of its place of `onnxPositions`. */
export function onnxRotate(graph: OnnxGraph, x: Value, shape: readonly [Dim, Dim, number, number], places: Value, { table, positions, dims, interleaved, inverse }: Rotation): Value {
  const [batch, length, heads, headDim] = shape;
  const pairs = dims / 2;
  const inside = graph.op("Max", [graph.op("Min", [places, graph.scalarExtent(positions - 1)]), graph.scalarExtent(0)]);
  // […, length, 1, dims]: the same for all heads.
  const angles = graph.op("Unsqueeze", [graph.op("Gather", [table, inside], { axis: 0 }), graph.ints([-2])]);
  const slice = (value: Value, begin: number, end: number) => graph.op("Slice", [value, graph.ints([begin]), graph.ints([end]), graph.ints([-1])]);
  const turned = dims === headDim ? x : slice(x, 0, dims);
  const spread = (value: Value) => graph.op("Unsqueeze", [value, graph.ints([-1])]);
  // The two of each pair side by side on the last axis, where they are neighbours.
  const each = interleaved ? graph.reshape(turned, [batch, length, heads, pairs, 2]) : turned;
  const [a, b] = interleaved ? [slice(each, 0, 1), slice(each, 1, 2)] : [slice(each, 0, pairs), slice(each, pairs, dims)];
  const [cosine, sine] = [slice(angles, 0, pairs), slice(angles, pairs, dims)].map((value) => (interleaved ? spread(value) : value)) as [Value, Value];
  const product = (value: Value, factor: Value) => graph.op("Mul", [value, factor]);
  const first = graph.op(inverse ? "Add" : "Sub", [product(a, cosine), product(b, sine)]);
  const second = graph.op(inverse ? "Sub" : "Add", [product(b, cosine), product(a, sine)]);
  const joined = graph.op("Concat", [first, second], { axis: -1 });
  const whole = interleaved ? graph.reshape(joined, [batch, length, heads, dims]) : joined;
  return dims === headDim ? whole : graph.op("Concat", [whole, slice(x, dims, headDim)], { axis: -1 });
}

export function onnxRotaryEmbedding({ graph, inputs: [x, table, lengths], attributes: { interleaved, inverse }, dim }: OnnxContext<RotaryAttributes>): Value[] {
  const [positions, dims] = table!.dims as [number, number];
  const places = onnxPositions(graph, x!.dims[1]!, graph.scalarExtent(dim("begin")), lengths?.value);
  return [onnxRotate(graph, x!.value, x!.dims as [Dim, Dim, number, number], places, { table: table!.value, positions, dims, interleaved, inverse })];
}
