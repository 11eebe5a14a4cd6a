import type { OnnxContext } from "../../onnx/context.ts";
import { float, type OnnxGraph, type Value } from "../../onnx/graph.ts";
import type { LayerNormAttributes } from "./op.ts";

export function onnxLayerNorm({ graph, inputs, outputs, attributes: { epsilon } }: OnnxContext<LayerNormAttributes>): readonly Value[] {
  const [x] = inputs;
  if (x!.dims.at(-1) === 0) {
    const zeros = graph.op("Expand", [graph.float(0), graph.extents(outputs[1]!.dims)]);
    return [x!.value, zeros, zeros];
  }
  const operands = inputs.map(({ value }) => value);
  const attributes = { axis: -1, epsilon: float(epsilon) };
  // Statistics that nobody reads cost a fusion with the addition before.
  const statistics = outputs[1]!.wanted || outputs[2]!.wanted;
  return statistics ? graph.node("", "LayerNormalization", operands, attributes, 3) : [graph.op("LayerNormalization", operands, attributes)];
}

const normalized = (graph: OnnxGraph, x: Value, mean: Value, inverseDeviation: Value) => graph.op("Mul", [graph.op("Sub", [x, mean]), inverseDeviation]);

/** dx = (h − mean(h) − x̂·mean(h·x̂)) / deviation, with h = dy·weight. */
export function onnxLayerNormInput({ graph, inputs }: OnnxContext<object>): Value[] {
  const [x, weight, mean, inverseDeviation, g] = inputs.map(({ value }) => value) as [Value, Value, Value, Value, Value];
  const rowMean = (value: Value) => graph.op("ReduceMean", [value, graph.ints([-1])], { keepdims: 1 });
  const h = graph.op("Mul", [g, weight]);
  const xHat = normalized(graph, x, mean, inverseDeviation);
  const along = graph.op("Mul", [xHat, rowMean(graph.op("Mul", [h, xHat]))]);
  return [graph.op("Mul", [graph.op("Sub", [graph.op("Sub", [h, rowMean(h)]), along]), inverseDeviation])];
}

export function onnxLayerNormParameters({ graph, inputs, outputs: [dWeight] }: OnnxContext<object>): Value[] {
  const [x, mean, inverseDeviation, g] = inputs.map(({ value }) => value) as [Value, Value, Value, Value];
  const [features] = dWeight!.dims;
  const columnSum = (value: Value) => graph.op("ReduceSum", [graph.reshape(value, [-1, features!]), graph.ints([0])], { keepdims: 0 });
  return [columnSum(graph.op("Mul", [g, normalized(graph, x, mean, inverseDeviation)])), columnSum(g)];
}
