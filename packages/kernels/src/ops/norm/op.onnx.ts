import type { OnnxContext } from "../../onnx/context.ts";
import { float, type OnnxGraph, type Value } from "../../onnx/graph.ts";
import type { NormAttributes } from "./define.ts";

export function onnxNorm(context: OnnxContext<NormAttributes>, centred: boolean): readonly Value[] {
  const { graph, inputs, outputs, attributes: { bias, residual, weightOffset } } = context;
  const x = residual ? graph.op("Add", [inputs[0]!.value, inputs.at(-1)!.value]) : inputs[0]!.value;
  const sum = residual ? [x] : [];
  if (inputs[0]!.dims.at(-1) === 0) {
    const zeros = graph.op("Expand", [graph.float(0), graph.extents(outputs.at(-1)!.dims)]);
    return [x, ...sum, ...(centred ? [zeros] : []), zeros];
  }
  const weight = weightOffset === 0 ? inputs[1]!.value : graph.op("Add", [inputs[1]!.value, graph.float(weightOffset)]);
  const parameters = [weight, ...(bias ? [inputs[2]!.value] : [])];
  const [y, ...statistics] = centred ? layerNorm(context, x, parameters) : rmsNorm(context, x, weight);
  return [y!, ...sum, ...statistics];
}

function layerNorm({ graph, outputs, attributes: { epsilon } }: OnnxContext<NormAttributes>, x: Value, parameters: readonly Value[]): Value[] {
  // The WebAssembly kernel loses digits where the mean is large beside the deviation: there it is taken off before.
  const shift = graph.wasm ? graph.op("ReduceMean", [x, graph.ints([-1])], { keepdims: 1 }) : null;
  const operands = [shift ? graph.op("Sub", [x, shift]) : x, ...parameters];
  const attributes = { axis: -1, epsilon: float(epsilon) };
  // Statistics that nobody reads cost a fusion with the addition before.
  if (!outputs.slice(-2).some(({ wanted }) => wanted)) return [graph.op("LayerNormalization", operands, attributes)];
  const [y, mean, inverseDeviation] = graph.node("", "LayerNormalization", operands, attributes, 3) as [Value, Value, Value];
  return [y, shift ? graph.op("Add", [mean, shift]) : mean, inverseDeviation];
}

function rmsNorm({ graph, attributes: { epsilon } }: OnnxContext<NormAttributes>, x: Value, weight: Value): Value[] {
  const meanSquare = graph.op("ReduceMean", [graph.op("Mul", [x, x]), graph.ints([-1])], { keepdims: 1 });
  const inverseDeviation = graph.op("Div", [graph.float(1), graph.op("Sqrt", [graph.op("Add", [meanSquare, graph.float(epsilon)])])]);
  return [graph.op("Mul", [graph.op("Mul", [x, inverseDeviation]), weight]), inverseDeviation];
}

const normalized = (graph: OnnxGraph, x: Value, mean: Value | undefined, inverseDeviation: Value) => graph.op("Mul", [mean === undefined ? x : graph.op("Sub", [x, mean]), inverseDeviation]);

/**
 * dx = (h − mean(h) − x̂·mean(h·x̂)) / deviation + addend, with h = dy·weight. Means over a row of anything times the weight
 * are products of a matrix and a vector.
 */
export function onnxNormInputGradient({ graph, inputs, attributes: { weightOffset } }: OnnxContext<Pick<NormAttributes, "weightOffset">>, centred: boolean): Value[] {
  const values = inputs.map(({ value }) => value);
  const [x, storedWeight] = values as [Value, Value];
  const mean = centred ? values[2] : undefined;
  const [inverseDeviation, g, addend] = values.slice(centred ? 3 : 2) as [Value, Value, Value | undefined];
  const features = inputs[0]!.dims.at(-1)!;
  const weight = weightOffset === 0 ? storedWeight : graph.op("Add", [storedWeight, graph.float(weightOffset)]);
  const xHat = normalized(graph, x, mean, inverseDeviation);
  const column = graph.reshape(graph.op("Div", [weight, graph.cast(graph.scalarExtent(features), "f32")]), [features, 1]);
  const meanOf = (value: Value) => graph.op("MatMul", [value, column]);
  const weighted = graph.op("Mul", [g, weight]);
  const h = centred ? graph.op("Sub", [weighted, meanOf(g)]) : weighted;
  const along = graph.op("Mul", [xHat, meanOf(graph.op("Mul", [g, xHat]))]);
  const dx = graph.op("Mul", [graph.op("Sub", [h, along]), inverseDeviation]);
  return [addend === undefined ? dx : graph.op("Add", [dx, addend])];
}

export function onnxNormParameterGradients({ graph, inputs, outputs }: OnnxContext<{ bias: boolean }>, centred: boolean): Value[] {
  const values = inputs.map(({ value }) => value);
  const [inverseDeviation, g] = values.slice(centred ? 2 : 1) as [Value, Value];
  const [features] = outputs[0]!.dims;
  const columnSum = (value: Value) => graph.op("ReduceSum", [graph.reshape(value, [-1, features!]), graph.ints([0])], { keepdims: 0 });
  const dWeight = columnSum(graph.op("Mul", [g, normalized(graph, values[0]!, centred ? values[1] : undefined, inverseDeviation)]));
  return outputs.length === 2 ? [dWeight, columnSum(g)] : [dWeight];
}
