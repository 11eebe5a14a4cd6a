import type { Dim } from "../../onnx/dims.ts";
import type { OnnxGraph, Value } from "../../onnx/graph.ts";
import { dropoutRule, PCG_INCREMENT, PCG_MULTIPLIER, spread } from "./random.ts";

/** The first two words of pcg3d of a tensor of counters; all u32. */
function onnxPcg3d(graph: OnnxGraph, counter: Value, key: Value, stream: number): [Value, Value] {
  const u32 = (value: number) => graph.scalar("u32", value);
  const add = (a: Value, b: Value) => graph.op("Add", [a, b]);
  const mul = (a: Value, b: Value) => graph.op("Mul", [a, b]);
  const scatter = (x: Value) => add(mul(x, u32(PCG_MULTIPLIER)), u32(PCG_INCREMENT));
  const fold = (x: Value) => graph.op("BitwiseXor", [x, graph.op("BitShift", [x, u32(16)], { direction: "RIGHT" })]);
  let x = scatter(counter);
  let y = scatter(key);
  let z: Value = u32(spread(stream));
  const mixTwo = () => {
    x = add(x, mul(y, z));
    y = add(y, mul(z, x));
  };
  mixTwo();
  z = add(z, mul(x, y));
  [x, y, z] = [fold(x), fold(y), fold(z)];
  mixTwo();
  return [x, y];
}

/**
 * What inverted dropout multiplies with, 0 or its scale, in the shape of `dims`: `randomBits` of every element's number, as in
 * random.ts.
 *
 * @param key u32 scalar
 */
export function onnxDropoutMask(graph: OnnxGraph, dims: readonly Dim[], { probability, stream }: { probability: number; stream: number }, key: Value): Value {
  const { dropBelow, keepScale } = dropoutRule(probability);
  const size = graph.op("ReduceProd", [graph.extents(dims), graph.ints([0])], { keepdims: 1 });
  const hashes = graph.op("Squeeze", [graph.op("Div", [graph.op("Add", [size, graph.ints([3])]), graph.ints([4])])]);
  const counter = graph.cast(graph.op("Range", [graph.scalarExtent(0), hashes, graph.scalarExtent(1)]), "u32");
  // 16 bits are compared where they stand, in the upper half of a word.
  const keeps = (word: Value) => graph.op("GreaterOrEqual", [word, graph.scalar("u32", dropBelow * 2 ** 16)]);
  const lower = (word: Value) => graph.op("BitShift", [word, graph.scalar("u32", 16)], { direction: "LEFT" });
  const [x, y] = onnxPcg3d(graph, counter, key, stream);
  // Four runs of elements 4n, 4n + 1, 4n + 2 and 4n + 3, and then all in their order.
  const runs = [keeps(lower(x)), keeps(x), keeps(lower(y)), keeps(y)].map((run) => graph.op("Unsqueeze", [run, graph.ints([0])]));
  const ordered = graph.op("Reshape", [graph.op("Transpose", [graph.op("Concat", runs, { axis: 0 })], { perm: [1, 0] }), graph.ints([-1])]);
  const kept = graph.cast(graph.op("Slice", [ordered, graph.ints([0]), size, graph.ints([0])]), "f32");
  return graph.reshape(graph.op("Mul", [kept, graph.float(keepScale)]), dims);
}
