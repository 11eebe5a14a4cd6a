import type { Dim } from "./dims.ts";
import type { OnnxGraph, Value } from "./graph.ts";

/** Weights smaller than this along either axis stay f32: quantising a product's input would cost more than it saves. */
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
 * On x86 processors without VNNI onnxruntime adds the products by pairs in 16 bits, which overflow where both weights and
 * both inputs are large. For all-MiniLM-L6-v2 that takes the cosine with f32 from .99 to .98; weights of 7 bits, which
 * never overflow, would take it to .93, and unsigned ones, for which onnxruntime does it right, cost half the speed.
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
    const scale = stepFor(largest);
    scales[o] = scale;
    for (let i = 0; i < inputs; i++) steps[i * outputs + o] = Math.round(weight[at(i, o)]! / scale);
  }
  return { steps, scales };
}

/** The size of a step such that 127 of them reach `largest`. */
const stepFor = (largest: number) => (largest > 0 ? largest / 127 : 1);

export function isWorthQuantizing(rows: Dim, columns: Dim): boolean {
  return typeof rows === "number" && typeof columns === "number" && rows >= SMALLEST && columns >= SMALLEST;
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
  const sums = graph.cast(graph.op("MatMulInteger", [quantized, weight, zeroPoint]), "f32");
  const product = graph.op("Mul", [sums, graph.op("Mul", [scale, weightScales])]);
  return bias ? graph.op("Add", [product, bias]) : product;
}

/**
 * Rows of a table in int8, each row by its own largest magnitude. The rows gathered are f32 again: what it saves is room
 * in the file.
 *
 * @param name of the table, for the names of its parts
 * @param table [rows, size]
 * @param ids inside [0, rows)
 */
export function int8Gather(graph: OnnxGraph, name: Value, table: Float32Array, rows: number, ids: Value): Value {
  const size = table.length / rows;
  const steps = new Int8Array(table.length);
  const scales = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    const values = table.subarray(row * size, (row + 1) * size);
    const scale = stepFor(values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0));
    scales[row] = scale;
    values.forEach((value, i) => (steps[row * size + i] = Math.round(value / scale)));
  }
  const gather = (part: Value) => graph.op("Gather", [part, ids]);
  const gathered = graph.cast(gather(graph.weight(`${name}.rows.int8`, "i8", [rows, size], steps)), "f32");
  return graph.op("Mul", [gathered, gather(graph.weight(`${name}.rows.scale`, "f32", [rows, 1], scales))]);
}
