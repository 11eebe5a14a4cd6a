import type { Dim } from "../../onnx/dims.ts";
import type { OnnxGraph, Value } from "../../onnx/graph.ts";
import { dropThreshold, PCG_INCREMENT, PCG_MULTIPLIER, spread } from "./random.ts";

/** `randomBits` of a tensor of counters; key and result u32. */
export function onnxRandomBits(graph: OnnxGraph, counter: Value, key: Value, stream: number): Value {
  const u32 = (value: number) => graph.scalar("u32", value);
  const add = (a: Value, b: Value) => graph.op("Add", [a, b]);
  const mul = (a: Value, b: Value) => graph.op("Mul", [a, b]);
  const scatter = (x: Value) => add(mul(x, u32(PCG_MULTIPLIER)), u32(PCG_INCREMENT));
  const fold = (x: Value) => graph.op("BitwiseXor", [x, graph.op("BitShift", [x, u32(16)], { direction: "RIGHT" })]);
  let x = scatter(counter);
  let y = scatter(key);
  let z: Value = u32(spread(stream));
  const mix = () => {
    x = add(x, mul(y, z));
    y = add(y, mul(z, x));
    z = add(z, mul(x, y));
  };
  mix();
  [x, y, z] = [fold(x), fold(y), fold(z)];
  mix();
  return x;
}

/**
 * What inverted dropout multiplies with, 0 or 1 / (1 − probability), in the shape of `dims`: `randomBits` of every
 * element's number, as in random.ts.
 *
 * @param key u32 scalar
 */
export function onnxDropoutMask(graph: OnnxGraph, dims: readonly Dim[], { probability, stream }: { probability: number; stream: number }, key: Value): Value {
  const size = graph.op("ReduceProd", [graph.extents(dims), graph.ints([0])], { keepdims: 0 });
  const counter = graph.cast(graph.op("Range", [graph.scalarExtent(0), size, graph.scalarExtent(1)]), "u32");
  const bits = onnxRandomBits(graph, counter, key, stream);
  const keeps = graph.cast(graph.op("GreaterOrEqual", [bits, graph.scalar("u32", dropThreshold(probability))]), "f32");
  return graph.reshape(graph.op("Mul", [keeps, graph.float(1 / (1 - probability))]), dims);
}
