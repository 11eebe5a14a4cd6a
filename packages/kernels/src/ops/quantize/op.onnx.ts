import type { OnnxGraph, Value } from "../../onnx/graph.ts";
import { layoutOf, wholeBlocks } from "./format.ts";
import type { DequantizeAttributes } from "./op.ts";

/**
 * The f32 weight [outputs, inputs filled up to whole blocks], by standard operators on the words. A constant is worked out
 * once, when the session is made: on a CPU it is f32 from then on, in a file it keeps its few bits. −1 outputs: as many as there are.
 */
export function onnxDequantize(graph: OnnxGraph, values: Value, scales: Value, { format, shape: [outputs, inputs] }: DequantizeAttributes): Value {
  const { block, stepsPerWord } = layoutOf(format);
  const padded = wholeBlocks(inputs);
  const words = graph.op("Reshape", [values, graph.ints([outputs, padded / stepsPerWord, 1])], { allowzero: 1 });
  const shifts = stepsPerWord === 4 ? [0, 8, 16, 24] : [0, 8, 16, 24, 4, 12, 20, 28];
  const shifted = graph.op("BitShift", [words, graph.constant("u32", [1, 1, stepsPerWord], Uint32Array.from(shifts))], { direction: "RIGHT" });
  const bits = graph.op("BitwiseAnd", [shifted, graph.scalar("u32", stepsPerWord === 4 ? 255 : 15)]);
  // An i8 with its sign bit turned is the number plus 128.
  const numbers = graph.cast(stepsPerWord === 4 ? graph.op("BitwiseXor", [bits, graph.scalar("u32", 128)]) : bits, "f32");
  const steps = format === "q4_1" ? numbers : graph.op("Sub", [numbers, graph.float(stepsPerWord === 4 ? 128 : 8)]);
  const blocks = graph.op("Reshape", [steps, graph.ints([outputs, padded / block, block])], { allowzero: 1 });
  const halves = graph.cast(scales, "f32");
  const part = (at: number) => (format === "q4_1" ? graph.op("Gather", [halves, graph.ints([at])], { axis: 2 }) : graph.op("Unsqueeze", [halves, graph.ints([2])]));
  const scaled = graph.op("Mul", [blocks, part(0)]);
  return graph.op("Reshape", [format === "q4_1" ? graph.op("Add", [scaled, part(1)]) : scaled, graph.ints([outputs, padded])], { allowzero: 1 });
}
