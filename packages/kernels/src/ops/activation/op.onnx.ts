import { float, type OnnxGraph, type Value } from "../../onnx/graph.ts";
import { QUICK_SCALE, TANH_CUBIC, TANH_SCALE, type ActivationKind } from "./functions.ts";

type Unary = (graph: OnnxGraph, x: Value) => Value;

const sigmoid: Unary = (graph, x) => graph.op("Sigmoid", [x]);
const times = (graph: OnnxGraph, x: Value, factor: number) => graph.op("Mul", [x, graph.float(factor)]);
const plus = (graph: OnnxGraph, x: Value, summand: number) => graph.op("Add", [x, graph.float(summand)]);

/** Where σ(z) is 0 or 1 already, so that no square of x overflows. */
const cut = (graph: OnnxGraph, x: Value, limit: number) => graph.op("Clip", [x, graph.float(-limit), graph.float(limit)]);

/** x·σ(scale·x), exact to the last digits: onnxruntime's own sigmoid is off by more than 1e-6 of x. */
const gated = (graph: OnnxGraph, x: Value, scale: number) => graph.op("Div", [x, plus(graph, graph.op("Exp", [times(graph, x, -scale)]), 1)]);

/** σ(z) + x·σ(z)·(1 − σ(z))·z′, the derivative of x·σ(z(x)). */
const gatedDerivative = (graph: OnnxGraph, x: Value, z: Value, slope: Value): Value => {
  const gate = sigmoid(graph, z);
  const rest = graph.op("Mul", [graph.op("Sub", [graph.float(1), gate]), graph.op("Mul", [x, slope])]);
  return graph.op("Mul", [gate, plus(graph, rest, 1)]);
};

const values: Record<ActivationKind, Unary> = {
  relu: (graph, x) => graph.op("Relu", [x]),
  gelu: (graph, x) => graph.op("Gelu", [x]),
  geluTanh: (graph, x) => graph.op("Gelu", [x], { approximate: "tanh" }),
  geluQuick: (graph, x) => (graph.target === "onnxruntime" && !graph.wasm ? graph.microsoft("QuickGelu", [x], { alpha: float(QUICK_SCALE) }) : gated(graph, x, QUICK_SCALE)),
  silu: (graph, x) => gated(graph, x, 1),
  softplus: (graph, x) => graph.op("Softplus", [x]),
  tanh: (graph, x) => graph.op("Tanh", [x]),
};

const derivatives: Record<ActivationKind, Unary> = {
  relu: (graph, x) => graph.number(graph.op("Greater", [x, graph.float(0)])),
  // Φ(x) + x·φ(x).
  gelu: (graph, x) => {
    const cumulative = plus(graph, times(graph, graph.op("Erf", [times(graph, x, Math.SQRT1_2)]), 0.5), 0.5);
    const near = cut(graph, x, 12);
    const density = graph.op("Exp", [times(graph, graph.op("Mul", [near, near]), -0.5)]);
    return graph.op("Add", [cumulative, graph.op("Mul", [times(graph, near, 1 / Math.sqrt(2 * Math.PI)), density])]);
  },
  geluTanh: (graph, wide) => {
    const x = cut(graph, wide, 30);
    const square = graph.op("Mul", [x, x]);
    const z = graph.op("Mul", [x, plus(graph, times(graph, square, 2 * TANH_SCALE * TANH_CUBIC), 2 * TANH_SCALE)]);
    return gatedDerivative(graph, x, z, plus(graph, times(graph, square, 6 * TANH_SCALE * TANH_CUBIC), 2 * TANH_SCALE));
  },
  geluQuick: (graph, x) => gatedDerivative(graph, cut(graph, x, 60), times(graph, x, QUICK_SCALE), graph.float(QUICK_SCALE)),
  silu: (graph, x) => gatedDerivative(graph, cut(graph, x, 80), x, graph.float(1)),
  softplus: sigmoid,
  tanh: (graph, x) => {
    const y = graph.op("Tanh", [x]);
    return graph.op("Sub", [graph.float(1), graph.op("Mul", [y, y])]);
  },
};

export const onnxActivation = (graph: OnnxGraph, kind: ActivationKind, x: Value): Value => values[kind](graph, x);
export const onnxDerivative = (graph: OnnxGraph, kind: ActivationKind, x: Value): Value => derivatives[kind](graph, x);
