import type { OnnxContext } from "../../onnx/context.ts";
import { float, type OnnxGraph, type Value } from "../../onnx/graph.ts";
import type { LayerNormAttributes } from "./op.ts";

export function onnxLayerNorm({ graph, inputs, outputs, attributes: { epsilon } }: OnnxContext<LayerNormAttributes>): readonly Value[] {
  const [x] = inputs;
  if (x!.dims.at(-1) === 0) {
    const zeros = graph.op("Expand", [graph.float(0), graph.extents(outputs[1]!.dims)]);
    return [x!.value, zeros, zeros];
  }
  // The WebAssembly kernel loses digits where the mean is large beside the deviation: there it is taken off before.
  const shift = graph.wasm ? graph.op("ReduceMean", [x!.value, graph.ints([-1])], { keepdims: 1 }) : null;
  const operands = inputs.map(({ value }, i) => (i === 0 && shift ? graph.op("Sub", [value, shift]) : value));
  const attributes = { axis: -1, epsilon: float(epsilon) };
  // Statistics that nobody reads cost a fusion with the addition before.
  const statistics = outputs[1]!.wanted || outputs[2]!.wanted;
  if (!statistics) return [graph.op("LayerNormalization", operands, attributes)];
  const [y, mean, inverseDeviation] = graph.node("", "LayerNormalization", operands, attributes, 3) as [Value, Value, Value];
  return [y, shift ? graph.op("Add", [mean, shift]) : mean, inverseDeviation];
}

const normalized = (graph: OnnxGraph, x: Value, mean: Value, inverseDeviation: Value) => graph.op("Mul", [graph.op("Sub", [x, mean]), inverseDeviation]);

/**
 * dx = (h − mean(h) − x̂·mean(h·x̂)) / deviation, with h = dy·weight. Means over a row of anything times the weight are
 * products of a matrix and a vector.
 */
export function onnxLayerNormInput({ graph, inputs: [x, weight, mean, inverseDeviation, g] }: OnnxContext<object>): Value[] {
  const features = x!.dims.at(-1)!;
  const xHat = normalized(graph, x!.value, mean!.value, inverseDeviation!.value);
  const column = graph.reshape(graph.op("Div", [weight!.value, graph.cast(graph.scalarExtent(features), "f32")]), [features, 1]);
  const meanOf = (value: Value) => graph.op("MatMul", [value, column]);
  const h = graph.op("Sub", [graph.op("Mul", [g!.value, weight!.value]), meanOf(g!.value)]);
  const along = graph.op("Mul", [xHat, meanOf(graph.op("Mul", [g!.value, xHat]))]);
  return [graph.op("Mul", [graph.op("Sub", [h, along]), inverseDeviation!.value])];
}

export function onnxLayerNormParameters({ graph, inputs, outputs: [dWeight] }: OnnxContext<object>): Value[] {
  const [x, mean, inverseDeviation, g] = inputs.map(({ value }) => value) as [Value, Value, Value, Value];
  const [features] = dWeight!.dims;
  const columnSum = (value: Value) => graph.op("ReduceSum", [graph.reshape(value, [-1, features!]), graph.ints([0])], { keepdims: 0 });
  return [columnSum(graph.op("Mul", [g, normalized(graph, x, mean, inverseDeviation)])), columnSum(g)];
}
