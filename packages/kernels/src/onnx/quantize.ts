import type { Dim } from "./dims.ts";
import type { OnnxGraph, Value } from "./graph.ts";

/** Products smaller than this along either axis keep their f32 weights: quantising their input would cost more than it saves. */
const SMALLEST = 64;

/** A weight as int8 steps of a size of its own for each output: w ≈ step · scale. Symmetric, without a zero point. */
export interface QuantizedWeight {
  /** [inputs, outputs] */
  readonly steps: Int8Array;
  /** [outputs] */
  readonly scales: Float32Array;
}

/**
 * Rounds a weight to int8, each output by its own largest magnitude (per-channel symmetric quantisation: Jacob et al. 2018,
 * section 2; Krishnamoorthi 2018, section 3).
 *
 * @param weight [outputs, inputs] where `transposed`, as a linear layer of PyTorch stores it; else [inputs, outputs]
 */
export function quantizeWeight(weight: Float32Array, inputs: number, outputs: number, transposed: boolean): QuantizedWeight {
  const at = (i: number, o: number) => (transposed ? o * inputs + i : i * outputs + o);
  const steps = new Int8Array(inputs * outputs);
  const scales = new Float32Array(outputs);
  for (let o = 0; o < outputs; o++) {
    let largest = 0;
    for (let i = 0; i < inputs; i++) largest = Math.max(largest, Math.abs(weight[at(i, o)]!));
    const scale = largest > 0 ? largest / 127 : 1;
    scales[o] = scale;
    for (let i = 0; i < inputs; i++) steps[i * outputs + o] = Math.round(weight[at(i, o)]! / scale);
  }
  return { steps, scales };
}

export function isWorthQuantizing(inputs: Dim, outputs: Dim): boolean {
  return typeof inputs === "number" && typeof outputs === "number" && inputs >= SMALLEST && outputs >= SMALLEST;
}

/**
 * x · w (+ bias), with x rounded to u8 by the range that it has in this run (dynamic quantisation). Products of one x share
 * its rounding.
 *
 * @param name of the weight, for the names of its parts
 */
export function int8Matmul(graph: OnnxGraph, x: Value, name: Value, { steps, scales }: QuantizedWeight, bias: Value | undefined): Value {
  const outputs = scales.length;
  const weight = graph.weight(`${name}.int8`, "i8", [steps.length / outputs, outputs], steps);
  const weightScales = graph.weight(`${name}.scale`, "f32", [outputs], scales);
  const [quantized, scale, zeroPoint] = graph.node("", "DynamicQuantizeLinear", [x], {}, 3) as [Value, Value, Value];
  if (graph.target === "onnxruntime") return graph.microsoft("MatMulIntegerToFloat", [quantized, weight, scale, weightScales, zeroPoint, "", ...(bias ? [bias] : [])]);
  const sums = graph.op("Cast", [graph.op("MatMulInteger", [quantized, weight, zeroPoint])], { to: 1 });
  const product = graph.op("Mul", [sums, graph.op("Mul", [scale, weightScales])]);
  return bias ? graph.op("Add", [product, bias]) : product;
}
