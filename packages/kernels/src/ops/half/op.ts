import { defineOp, type Op } from "../../program/op.ts";
import { float16Bits, float16ToNumber, MAX_FLOAT16 } from "../../program/float16.ts";
import { lowerFromHalf, lowerToHalf } from "./op.wgsl.ts";

// The two ways between f32 and f16, which is for storage alone: `cast` records them.

export const fromHalfOp: Op = defineOp({
  name: "castFromHalf",
  infer: ([x]) => [{ dtype: "f32", shape: x!.shape }],
  vjp: () => [null],
  reference([x], _, context) {
    const y = context.zeros("f32", x!.shape);
    y.data.set(x!.data);
    return [y];
  },
  lower: lowerFromHalf,
  onnx: ({ graph, inputs: [x] }) => [graph.cast(x!.value, "f32")],
  readsHalf: true,
});

const saturate = (value: number) => Math.min(Math.max(value, -MAX_FLOAT16), MAX_FLOAT16);

export const toHalfOp: Op = defineOp({
  name: "castToHalf",
  infer: ([x]) => [{ dtype: "f16", shape: x!.shape }],
  vjp: () => [null],
  reference([x], _, context) {
    const y = context.zeros("f16", x!.shape);
    x!.data.forEach((value, i) => (y.data[i] = float16ToNumber(float16Bits(saturate(value)))));
    return [y];
  },
  lower: lowerToHalf,
  onnx: ({ graph, inputs: [x] }) => [graph.cast(graph.op("Clip", [x!.value, graph.float(-MAX_FLOAT16), graph.float(MAX_FLOAT16)]), "f16")],
});
