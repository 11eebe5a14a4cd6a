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

function sizes(attributes: AttentionAttributes, q: BufferRef, k: BufferRef, bias: BufferRef | undefined) {
  const [batch, queries, heads, headDim] = q.type.shape as [number, number, number, number];
  const [, keys, keyHeads] = k.type.shape as [number, number, number];
  const { dropout } = attributes;
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
  const bytes = 4 * (sizeOf(q.type.shape) + 2 * sizeOf(k.type.shape));
  return { batch, queries, heads, headDim, keys, keyHeads, params, grid, flopsPerProduct, bytes };
}

export function lowerAttention({ attributes, inputs, outputs, adapter, dispatch }: LowerContext<AttentionAttributes>): void {
  const [q, k, , , bias] = inputs as [BufferRef, BufferRef, BufferRef, BufferRef, BufferRef | undefined];
  const { batch, heads, headDim, queries, grid, flopsPerProduct, bytes } = sizes(attributes, q, k, bias);
  const variant = attentionVariant(adapter, headDim, "forward", attributes.bias, attributes.dropout !== null);
  dispatch({
    kernel: kernelOnce(["forward", variant], () => forwardKernel(variant)),
    buffers: [...inputs, ...outputs],
    ...grid(variant, queries, batch * heads),
    flops: 2 * flopsPerProduct,
    bytes: bytes + 4 * sizeOf(q.type.shape),
  });
}

export function lowerAttentionGradient({ attributes, inputs, outputs, adapter, dispatch, scratch }: LowerContext<AttentionAttributes>): void {
  const [q, k, v, info, y, logSumExp, dy, bias] = inputs as [BufferRef, BufferRef, BufferRef, BufferRef, BufferRef, BufferRef, BufferRef, BufferRef | undefined];
  const [dq, dk, dv, dBias] = outputs as [BufferRef, BufferRef, BufferRef, BufferRef | undefined];
  const { batch, heads, headDim, queries, keys, keyHeads, params, grid, flopsPerProduct, bytes } = sizes(attributes, q, k, bias);
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
    bytes: bytes + 8 * sizeOf(q.type.shape),
  });
  const ofKeys = attentionVariant(adapter, headDim, "keys", attributes.bias, dropout);
  // With a bias, dk and dv in one kernel would bind nine buffers; every device has eight.
  const passes = bias ? ([["dk"], ["dv"]] as const) : ([["dk", "dv"]] as const);
  for (const wanted of passes) {
    dispatch({
      kernel: kernelOnce(["keys", ofKeys, wanted], () => gradientOfKeysKernel(ofKeys, wanted)),
      buffers: [...reads, ...wanted.map((name) => (name === "dk" ? dk : dv))],
      ...grid(ofKeys, keys, batch * keyHeads),
      flops: (2 + wanted.length) * flopsPerProduct,
      bytes: bytes + 4 * sizeOf(q.type.shape) + 4 * wanted.length * sizeOf(k.type.shape),
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
    bytes: bytes + 8 * count,
  });
}
