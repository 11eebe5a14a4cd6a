import { HeddleError } from "../../errors.ts";
import type { OnnxContext, OnnxOperand } from "../../onnx/context.ts";
import type { Dim } from "../../onnx/dims.ts";
import type { Value } from "../../onnx/graph.ts";
import type { BufferRef } from "../../program/lowering.ts";
import type { Op } from "../../program/op.ts";
import type { Tensor } from "../../program/tensor.ts";
import { emit } from "../../program/trace.ts";
import { sizeOf, type Shape } from "../../program/types.ts";
import type { NdArray, ReferenceContext } from "../../reference/ndarray.ts";
import { onnxAttention, onnxAttentionGradient } from "./op.onnx.ts";
import type { AttentionAttributes } from "./op.ts";
import { referenceAttention, referenceAttentionGradient } from "./op.reference.ts";
import { backward, forward, type Layout } from "./op.wgsl.ts";

export interface JoinedAttributes extends AttentionAttributes {
  heads: number;
  keyHeads: number;
  headDim: number;
}

/** Inputs x [B, T, (H + 2·Hkv)·D] with queries, keys and values side by side, keys (see keys.ts), bias?; outputs as attention's. */
export const joinedAttentionOp: Op<JoinedAttributes> = {
  name: "joinedAttention",
  infer([x], { heads, headDim }) {
    const [batch, length] = x!.shape as [number, number];
    return [{ dtype: "f32", shape: [batch, length, heads, headDim] }, { dtype: "f32", shape: [batch, heads, length] }];
  },
  vjp({ inputs, outputs: [y, logSumExp], gradients: [g, gradientOfLogSumExp], attributes }) {
    if (gradientOfLogSumExp) throw new HeddleError("NOT_DIFFERENTIABLE", "[attention] the log-sum-exp is for the gradient alone");
    const [x, keys, bias] = inputs;
    const [dx, dBias] = emit(joinedGradientOp, [x!, keys!, y!, logSumExp!, g!, ...(bias ? [bias] : [])], attributes);
    return [dx!, null, ...(bias ? [dBias!] : [])];
  },
  reference: ([x, ...others], attributes, context) => referenceAttention([...partsOf(x!, attributes, context), ...others], attributes, context),
  lower(context) {
    const [x, info, bias] = context.inputs as [BufferRef, BufferRef, BufferRef | undefined];
    forward(context, layoutOf(x, context.attributes), { q: x, k: x, v: x, info, bias });
  },
  onnx: (context) => onnxAttention({ ...context, inputs: [...onnxParts(context), ...context.inputs.slice(1)] }),
};

/** Inputs x, keys, y, log-sum-exp, dy, bias?; outputs dx, dbias?. */
const joinedGradientOp: Op<JoinedAttributes> = {
  name: "joinedAttentionGradient",
  infer: ([x, , , , , bias]) => [x!, ...(bias ? [bias] : [])],
  reference([x, ...others], attributes, context) {
    const [dq, dk, dv, ...dBias] = referenceAttentionGradient([...partsOf(x!, attributes, context), ...others], attributes, context);
    const dx = context.zeros("f32", x!.shape);
    [dq!, dk!, dv!].reduce((begin, part) => copyPart(dx, part, begin, (at, value) => (dx.data[at] = value)), 0);
    return [dx, ...dBias];
  },
  lower(context) {
    const [x, info, y, logSumExp, dy, bias] = context.inputs as [BufferRef, BufferRef, BufferRef, BufferRef, BufferRef, BufferRef | undefined];
    const [dx, dBias] = context.outputs as [BufferRef, BufferRef | undefined];
    backward(context, layoutOf(x, context.attributes), { q: x, k: x, v: x, info, bias, y, logSumExp, dy, dq: dx, dk: dx, dv: dx, dBias });
  },
  onnx(context) {
    const [dq, dk, dv, ...dBias] = onnxAttentionGradient({ ...context, inputs: [...onnxParts(context), ...context.inputs.slice(1)] });
    const { graph, attributes } = context;
    const [batch, length] = context.inputs[0]!.dims as [Dim, Dim];
    const flat = (value: Value, heads: number) => graph.reshape(value, [batch, length, heads * attributes.headDim]);
    return [graph.op("Concat", [flat(dq!, attributes.heads), flat(dk!, attributes.keyHeads), flat(dv!, attributes.keyHeads)], { axis: -1 }), ...dBias];
  },
};

/** The tensor of which q, k and v are neighbouring slices of the last axis, split into heads, in this order; undefined where they are not. */
export function joinedSource(parts: readonly [Tensor, Tensor, Tensor]): Tensor | undefined {
  const slices = parts.map(({ node }) => (node.op.name === "reshape" && node.inputs[0]!.node.op.name === "slice" ? node.inputs[0]!.node : undefined));
  const x = slices[0]?.inputs[0];
  if (!x || x.rank !== 3) return undefined;
  let begin = 0;
  for (const [i, { shape }] of parts.entries()) {
    const node = slices[i];
    const source = node?.inputs[0];
    const window = node?.attributes as { axis: number; begin: number; end: number } | undefined;
    const [batch, length, heads, headDim] = shape as [number, number, number, number];
    if (!source || source.node !== x.node || source.outputIndex !== x.outputIndex || window!.axis !== 2 || window!.begin !== begin) return undefined;
    if (batch !== x.shape[0] || length !== x.shape[1] || window!.end - begin !== heads * headDim) return undefined;
    begin = window!.end;
  }
  return begin === x.shape[2] ? x : undefined;
}

const layoutOf = ({ type: { shape } }: BufferRef, { heads, keyHeads, headDim }: JoinedAttributes): Layout => ({ batch: shape[0]!, queries: shape[1]!, keys: shape[1]!, heads, keyHeads, headDim, joined: true });

/** Calls `visit` with the index in `x` and the value of each element of the part that begins at `begin`; gives where it ends. */
function copyPart(x: NdArray, part: NdArray, begin: number, visit: (at: number, value: number, inPart: number) => void): number {
  const [row, width] = [x.shape[2]!, sizeOf(part.shape.slice(2))];
  for (let i = 0; i < part.data.length; i++) visit(Math.floor(i / width) * row + begin + (i % width), part.data[i]!, i);
  return begin + width;
}

function partsOf(x: NdArray, { heads, keyHeads, headDim }: JoinedAttributes, context: ReferenceContext): NdArray[] {
  const parts = [heads, keyHeads, keyHeads].map((count) => context.zeros("f32", [x.shape[0]!, x.shape[1]!, count, headDim] satisfies Shape));
  parts.reduce((begin, part) => copyPart(x, part, begin, (at, _, inPart) => (part.data[inPart] = x.data[at]!)), 0);
  return parts;
}

function onnxParts({ graph, inputs: [x], attributes: { heads, keyHeads, headDim } }: OnnxContext<JoinedAttributes>): OnnxOperand[] {
  const [batch, length] = x!.dims as [Dim, Dim];
  let begin = 0;
  return [heads, keyHeads, keyHeads].map((count) => {
    const end = begin + count * headDim;
    const part = graph.op("Slice", [x!.value, graph.ints([begin]), graph.ints([end]), graph.ints([2])]);
    begin = end;
    const dims = [batch, length, count, headDim];
    return { value: graph.reshape(part, dims, [batch, length, count * headDim]), dtype: "f32", dims, content: undefined, kept: () => undefined };
  });
}
