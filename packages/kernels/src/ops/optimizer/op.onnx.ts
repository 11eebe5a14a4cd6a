import type { OnnxContext } from "../../onnx/context.ts";
import type { Value } from "../../onnx/graph.ts";
import type { AdamWAttributes } from "./adamw.ts";

export function onnxAdamW({ graph, inputs, attributes: { beta1, beta2, epsilon, weightDecay } }: OnnxContext<AdamWAttributes>): Value[] {
  const [parameter, gradient, first, second, learningRate, correction1, correction2, scale] = inputs.map(({ value }) => value) as [Value, Value, Value, Value, Value, Value, Value, Value];
  const add = (a: Value, b: Value) => graph.op("Add", [a, b]);
  const sub = (a: Value, b: Value) => graph.op("Sub", [a, b]);
  const mul = (a: Value, b: Value) => graph.op("Mul", [a, b]);
  const div = (a: Value, b: Value) => graph.op("Div", [a, b]);
  const f = (value: number) => graph.float(value);
  // Scalars first, so that each tensor is passed over as few times as can be.
  const newFirst = add(mul(first, f(beta1)), mul(gradient, mul(scale, f(1 - beta1))));
  const squares = mul(mul(gradient, gradient), mul(mul(scale, scale), f(1 - beta2)));
  const newSecond = add(mul(second, f(beta2)), squares);
  // first/c1 / (√(second/c2) + ε) = first · (√c2 / c1) / (√second + ε·√c2).
  const root2 = graph.op("Sqrt", [correction2]);
  const denominator = add(graph.op("Sqrt", [newSecond]), mul(root2, f(epsilon)));
  const step = div(mul(newFirst, mul(learningRate, div(root2, correction1))), denominator);
  const decayed = weightDecay === 0 ? parameter : mul(parameter, sub(f(1), mul(learningRate, f(weightDecay))));
  return [sub(decayed, step), newFirst, newSecond];
}

export function onnxGlobalNorm({ graph, inputs }: OnnxContext<object>): Value[] {
  const squares = inputs.map(({ value }) => graph.op("ReduceSumSquare", [value], { keepdims: 0 }));
  return [graph.op("Sqrt", [graph.op("Sum", squares)])];
}
