import type { OnnxContext, OnnxOperand } from "../../onnx/context.ts";
import type { Dim } from "../../onnx/dims.ts";
import { type OnnxGraph, type Value } from "../../onnx/graph.ts";
import type { AdamWAttributes } from "./adamw.ts";

/** Ten passes over memory for each parameter. What is scalar is worked out first. */
export function onnxAdamW({ graph, inputs, attributes: { beta1, beta2, epsilon, weightDecay } }: OnnxContext<AdamWAttributes>): Value[] {
  const [parameter, gradient, first, second, learningRate, correction1, correction2, scale] = inputs.map(({ value }) => value) as [Value, Value, Value, Value, Value, Value, Value, Value];
  const mul = (a: Value, b: Value) => graph.op("Mul", [a, b]);
  const div = (a: Value, b: Value) => graph.op("Div", [a, b]);
  const f = (value: number) => graph.float(value);
  const addScaled = (x: Value, y: Value, factor: Value) => scaledSum(graph, inputs[0]!.dims, x, y, factor);
  const newFirst = addScaled(mul(first, f(beta1)), gradient, mul(scale, f(1 - beta1)));
  const newSecond = addScaled(mul(second, f(beta2)), mul(gradient, gradient), mul(mul(scale, scale), f(1 - beta2)));
  // first/c1 / (√(second/c2) + ε) = first / (√second + ε·√c2) · √c2 / c1.
  const root2 = graph.op("Sqrt", [correction2]);
  const direction = div(newFirst, graph.op("Add", [graph.op("Sqrt", [newSecond]), mul(root2, f(epsilon))]));
  const decayed = weightDecay === 0 ? parameter : mul(parameter, graph.op("Sub", [f(1), mul(learningRate, f(weightDecay))]));
  return [addScaled(decayed, direction, graph.op("Neg", [mul(learningRate, div(root2, correction1))])), newFirst, newSecond];
}

/** x + y · factor, an f32 scalar. onnxruntime does it to a matrix in one pass over memory; smaller tensors have none to save. */
function scaledSum(graph: OnnxGraph, dims: readonly Dim[], x: Value, y: Value, factor: Value): Value {
  if (dims.length === 2) return graph.microsoft("GatedAdd", [x, y, graph.op("Expand", [factor, graph.extents([dims[0]!, 1])])]);
  return graph.op("Add", [x, graph.op("Mul", [y, factor])]);
}

/** Row by row, then over rows: onnxruntime adds in f32, and a sum of millions of squares in one go loses four digits. */
export function onnxGlobalNorm({ graph, inputs }: OnnxContext<object>): Value[] {
  const squares = (gradient: OnnxOperand) => {
    const rows = gradient.dims.length < 2 ? gradient.value : graph.op("ReduceSumSquare", [gradient.value, graph.ints([-1])], { keepdims: 0 });
    return graph.op(gradient.dims.length < 2 ? "ReduceSumSquare" : "ReduceSum", [rows], { keepdims: 0 });
  };
  return [graph.op("Sqrt", [graph.op("Sum", inputs.map(squares))])];
}
