import type { AdapterProfile } from "../../device/profile.ts";
import { linearWorkgroups } from "../../program/kernel.ts";
import { kernelMemo } from "../../program/kernel-memo.ts";
import type { BufferRef } from "../../program/lowering.ts";
import type { LowerContext } from "../../program/op.ts";
import { sizeOf } from "../../program/types.ts";
import { dropThreshold } from "../dropout/random.ts";
import { gradientOfBiasKernel, gradientOfKeysKernel, gradientOfQueriesKernel, LINEAR_WORKGROUP_SIZE, statsKernel } from "./backward.wgsl.ts";
import { forwardKernel } from "./forward.wgsl.ts";
import type { AttentionAttributes } from "./op.ts";
import type { AttentionVariant } from "./variant.wgsl.ts";

const kernelOnce = kernelMemo();

/** What one pass keeps in registers for each row: decides how many rows fit. */
const VECTORS_PER_SLICE = { forward: 2, queries: 3, keys: 4 } as const;
/** vec4s that a lane may keep. More rows load less but take CPU drivers longer to compile. */
const MAX_VECTORS = 16;

export function attentionVariant(adapter: Pick<AdapterProfile, "kind" | "features" | "subgroupMinSize">, headDim: number, pass: keyof typeof VECTORS_PER_SLICE, bias: boolean, dropout: boolean): AttentionVariant {
  const lanes = adapter.features.has("subgroups") && adapter.subgroupMinSize >= 4 ? 4 : 1;
  const slices = Math.ceil(headDim / (4 * lanes));
  const fits = Math.floor(MAX_VECTORS / (slices * VECTORS_PER_SLICE[pass]));
  const rows = lanes === 1 ? 1 : fits >= 4 ? 4 : fits >= 2 ? 2 : 1;
  return {
    lanes,
    slices,
    width: headDim % 4 === 0 ? 4 : 1,
    ragged: headDim % (4 * lanes) !== 0,
    rows,
    workgroupSize: adapter.kind === "software" ? 8 : 32,
    bias,
    dropout,
  };
}

/** Where queries, keys and values are: in tensors of their own, or side by side in one [batch, length, (heads + 2 · keyHeads) · headDim]. */
export interface Layout {
  readonly batch: number;
  readonly queries: number;
  readonly keys: number;
  readonly heads: number;
  readonly keyHeads: number;
  readonly headDim: number;
  readonly joined: boolean;
}

const separate = (q: BufferRef, k: BufferRef): Layout => {
  const [batch, queries, heads, headDim] = q.type.shape as [number, number, number, number];
  const [, keys, keyHeads] = k.type.shape as [number, number, number];
  return { batch, queries, keys, heads, keyHeads, headDim, joined: false };
};

function sizes(attributes: AttentionAttributes, { batch, queries, keys, heads, keyHeads, headDim, joined }: Layout, bias: BufferRef | undefined) {
  const { dropout } = attributes;
  const rowOfAll = (heads + 2 * keyHeads) * headDim;
  const biasHeads = bias?.type.shape[1] ?? 1;
  const params = {
    heads,
    keyHeads,
    queries,
    keys,
    headDim,
    scale: attributes.scale,
    causal: attributes.causal ? 1 : 0,
    biasBatch: bias && bias.type.shape[0] !== 1 ? biasHeads * queries * keys : 0,
    biasHead: bias && biasHeads !== 1 ? queries * keys : 0,
    rowQ: joined ? rowOfAll : heads * headDim,
    rowK: joined ? rowOfAll : keyHeads * headDim,
    startK: joined ? heads * headDim : 0,
    startV: joined ? (heads + keyHeads) * headDim : 0,
    stream: dropout?.stream ?? 0,
    dropBelow: dropout ? dropThreshold(dropout.probability) : 0,
    keepScale: dropout ? 1 / (1 - dropout.probability) : 1,
  };
  const grid = (variant: AttentionVariant, rows: number, parts: number) => {
    const tiles = Math.ceil(rows / ((variant.workgroupSize / variant.lanes) * variant.rows));
    return { params: { ...params, tiles, parts }, workgroups: linearWorkgroups(tiles * parts, 1) };
  };
  // One product of all queries with all keys; causal attention needs half of it.
  const flopsPerProduct = 2 * batch * heads * queries * keys * headDim * (attributes.causal && queries === keys ? 0.5 : 1);
  const [bytesOfQ, bytesOfK] = [4 * batch * queries * heads * headDim, 4 * batch * keys * keyHeads * headDim];
  return { params, grid, flopsPerProduct, bytesOfQ, bytesOfK };
}

export function lowerAttention(context: LowerContext<AttentionAttributes>): void {
  const [q, k, v, info, bias] = context.inputs as [BufferRef, BufferRef, BufferRef, BufferRef, BufferRef | undefined];
  forward(context, separate(q, k), { q, k, v, info, bias });
}

export function lowerAttentionGradient(context: LowerContext<AttentionAttributes>): void {
  const [q, k, v, info, y, logSumExp, dy, bias] = context.inputs as [BufferRef, BufferRef, BufferRef, BufferRef, BufferRef, BufferRef, BufferRef, BufferRef | undefined];
  const [dq, dk, dv, dBias] = context.outputs as [BufferRef, BufferRef, BufferRef, BufferRef | undefined];
  backward(context, separate(q, k), { q, k, v, info, bias, y, logSumExp, dy, dq, dk, dv, dBias });
}

export interface AttentionReads {
  readonly q: BufferRef;
  readonly k: BufferRef;
  readonly v: BufferRef;
  readonly info: BufferRef;
  readonly bias: BufferRef | undefined;
}

export function forward({ attributes, outputs, adapter, dispatch }: LowerContext<AttentionAttributes>, layout: Layout, { q, k, v, info, bias }: AttentionReads): void {
  const { grid, flopsPerProduct, bytesOfQ, bytesOfK } = sizes(attributes, layout, bias);
  const variant = attentionVariant(adapter, layout.headDim, "forward", attributes.bias, attributes.dropout !== null);
  dispatch({
    kernel: kernelOnce(["forward", variant], () => forwardKernel(variant)),
    buffers: [q, k, v, info, ...(bias ? [bias] : []), ...outputs],
    ...grid(variant, layout.queries, layout.batch * layout.heads),
    flops: 2 * flopsPerProduct,
    bytes: 2 * bytesOfQ + 2 * bytesOfK,
  });
}

/** @param buffers of a joined layout dq, dk and dv are one buffer */
export function backward(
  { attributes, adapter, dispatch, scratch }: LowerContext<AttentionAttributes>,
  layout: Layout,
  buffers: AttentionReads & Readonly<Record<"y" | "logSumExp" | "dy" | "dq" | "dk" | "dv", BufferRef>> & { readonly dBias: BufferRef | undefined },
): void {
  const { q, k, v, info, bias, y, logSumExp, dy, dq, dk, dv, dBias } = buffers;
  const { batch, heads, headDim, queries, keys, keyHeads, joined } = layout;
  const { params, grid, flopsPerProduct, bytesOfQ, bytesOfK } = sizes(attributes, layout, bias);
  const dropout = attributes.dropout !== null;
  const rowsCount = batch * heads * queries;
  const stats = scratch({ dtype: "f32", shape: [batch, heads, queries, 2] });
  dispatch({
    kernel: statsKernel,
    buffers: [y, dy, logSumExp, stats],
    params: { count: rowsCount, heads, queries, headDim },
    workgroups: linearWorkgroups(rowsCount, LINEAR_WORKGROUP_SIZE),
    flops: 2 * rowsCount * headDim,
    bytes: 8 * rowsCount * headDim,
  });
  const reads = [q, k, v, info, stats, dy, ...(bias ? [bias] : [])];
  const ofQueries = attentionVariant(adapter, headDim, "queries", attributes.bias, dropout);
  dispatch({
    kernel: kernelOnce(["queries", ofQueries], () => gradientOfQueriesKernel(ofQueries)),
    buffers: [...reads, dq],
    ...grid(ofQueries, queries, batch * heads),
    flops: 3 * flopsPerProduct,
    bytes: 3 * bytesOfQ + 2 * bytesOfK,
  });
  const ofKeys = attentionVariant(adapter, headDim, "keys", attributes.bias, dropout);
  // With a bias, dk and dv in one kernel would bind nine buffers; every device has eight. Joined, they are one.
  const passes = bias && !joined ? ([["dk"], ["dv"]] as const) : ([["dk", "dv"]] as const);
  for (const wanted of passes) {
    dispatch({
      kernel: kernelOnce(["keys", ofKeys, wanted, joined], () => gradientOfKeysKernel(ofKeys, wanted, joined)),
      buffers: [...reads, ...(joined ? [dk] : wanted.map((name) => (name === "dk" ? dk : dv)))],
      ...grid(ofKeys, keys, batch * keyHeads),
      flops: (2 + wanted.length) * flopsPerProduct,
      bytes: 2 * bytesOfQ + (2 + wanted.length) * bytesOfK,
    });
  }
  if (!dBias) return;
  const count = sizeOf(dBias.type.shape);
  dispatch({
    kernel: kernelOnce(["bias", dropout], () => gradientOfBiasKernel(dropout)),
    buffers: [...reads, dBias],
    params: { count, ...params, tiles: 0, parts: 0, batch },
    workgroups: linearWorkgroups(count, LINEAR_WORKGROUP_SIZE),
    flops: 2 * flopsPerProduct,
    bytes: 2 * bytesOfQ + 2 * bytesOfK + 8 * count,
  });
}
