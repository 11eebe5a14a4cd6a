import { linearWorkgroups, type Kernel } from "../../program/kernel.ts";
import type { BufferRef, DispatchSpec } from "../../program/lowering.ts";
import type { LowerContext } from "../../program/op.ts";
import { sizeOf } from "../../program/types.ts";
import { dropThreshold } from "../dropout/random.ts";
import { backwardBiasKernel, backwardKeysKernel, backwardQueriesKernel, forwardKernel, WORKGROUP_SIZE, type KernelVariant } from "./kernels.wgsl.ts";
import { attentionShape, optionalInputs, type AttentionAttributes, type AttentionShape } from "./shape.ts";

type Lowering = Pick<LowerContext<AttentionAttributes>, "attributes" | "inputs">;

function variantOf({ attributes, inputs }: Lowering, keepsLogSumExp: boolean): KernelVariant {
  const { mask, bias, causal, dropout } = attributes;
  return { headSize: inputs[0]!.type.shape[3]!, mask, bias, causal, dropout: dropout !== null, keepsLogSumExp };
}

function shapeOf({ attributes, inputs }: Lowering): AttentionShape {
  return attentionShape(inputs[0]!.type.shape, inputs[1]!.type.shape, inputs[optionalInputs(attributes).bias]?.type.shape);
}

function paramsOf({ attributes: { scale, dropout, bias } }: Lowering, shape: AttentionShape): Record<string, number> {
  const { queries, keys, heads, keyHeads, biasBatch, biasHeads } = shape;
  return {
    queries,
    keys,
    heads,
    keyHeads,
    group: heads / keyHeads,
    scale,
    ...(bias && { biasBatchStride: biasBatch === 1 ? 0 : biasHeads * queries * keys, biasHeadStride: biasHeads === 1 ? 0 : queries * keys }),
    ...(dropout && { threshold: dropThreshold(dropout.probability), keepScale: 1 / (1 - dropout.probability), stream: dropout.stream }),
  };
}

/** Products of one pass over all pairs: `perPair` multiply-adds of length headSize. */
function costs({ batch, heads, queries, keys, headSize }: AttentionShape, perPair: number, buffers: readonly BufferRef[]): Pick<DispatchSpec, "flops" | "bytes"> {
  return {
    flops: 2 * perPair * batch * heads * queries * keys * headSize,
    bytes: 4 * buffers.reduce((total, { type }) => total + sizeOf(type.shape), 0),
  };
}

export function lowerAttention(context: LowerContext<AttentionAttributes>): void {
  const shape = shapeOf(context);
  const buffers = [...context.inputs, ...context.outputs];
  const count = shape.batch * shape.heads * shape.queries;
  context.dispatch({
    kernel: forwardKernel(variantOf(context, context.outputs.length > 1)),
    buffers,
    params: { count, ...paramsOf(context, shape) },
    workgroups: linearWorkgroups(count, WORKGROUP_SIZE),
    ...costs(shape, 2, buffers),
  });
}

export function lowerAttentionBackward(context: LowerContext<AttentionAttributes>): void {
  const { attributes, inputs, outputs, dispatch } = context;
  const shape = shapeOf(context);
  const { count: forwardInputs, mask, bias, key } = optionalInputs(attributes);
  const [q, k, v] = inputs as [BufferRef, BufferRef, BufferRef];
  const [y, logSumExp, dy] = inputs.slice(forwardInputs) as [BufferRef, BufferRef, BufferRef];
  const [dq, dk, dv, delta, dbias] = outputs as [BufferRef, BufferRef, BufferRef, BufferRef, BufferRef | undefined];
  const optional = [mask, bias, key].filter((at) => at >= 0).map((at) => inputs[at]!);
  const variant = variantOf(context, true);
  const params = paramsOf(context, shape);
  const pass = (kernel: Kernel, buffers: BufferRef[], count: number, perPair: number, more: Record<string, number> = {}) =>
    dispatch({ kernel, buffers, params: { count, ...params, ...more }, workgroups: linearWorkgroups(count, WORKGROUP_SIZE), ...costs(shape, perPair, buffers) });
  const { batch, heads, queries, keys, keyHeads, biasBatch, biasHeads } = shape;
  pass(backwardQueriesKernel(variant), [q, k, v, ...optional, y, logSumExp, dy, dq, delta], batch * heads * queries, 3);
  pass(backwardKeysKernel(variant), [q, k, v, ...optional, logSumExp, dy, delta, dk, dv], batch * keyHeads * keys, 4);
  if (dbias) {
    pass(backwardBiasKernel(variant), [q, k, v, ...optional, logSumExp, dy, delta, dbias], biasBatch * biasHeads * queries * keys, 2, { batch, biasBatch, biasHeads });
  }
}
