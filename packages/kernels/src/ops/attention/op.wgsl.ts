import { linearWorkgroups } from "../../program/kernel.ts";
import { kernelMemo } from "../../program/kernel-memo.ts";
import type { BufferRef } from "../../program/lowering.ts";
import type { LowerContext } from "../../program/op.ts";
import { sizeOf } from "../../program/types.ts";
import { dropoutRule } from "../dropout/random.ts";
import { gradientOfKeysKernel, gradientOfQueriesKernel } from "./backward.wgsl.ts";
import { COMBINE_WORKGROUP_SIZE, combineKernel, decodeKernel, decodeVariant } from "./decode.wgsl.ts";
import { forwardKernel } from "./forward.wgsl.ts";
import { gradientOfBiasKernel, LINEAR_WORKGROUP_SIZE, statsKernel } from "./gradient-of-bias.wgsl.ts";
import type { AttentionAttributes } from "./op.ts";
import { operandsOf } from "./operands.ts";
import { rowsText } from "./rows.wgsl.ts";
import { attentionDesigns, attentionGradientDesigns, type AttentionDesign, type AttentionGradientDesign } from "./choose.ts";
import { tiledGradientOfKeysKernel, tiledGradientOfQueriesKernel } from "./tiled-backward.wgsl.ts";
import { tiledForwardKernel } from "./tiled-forward.wgsl.ts";
import type { ScoreTile, TiledVariant } from "./tiles.wgsl.ts";
import { attentionVariant, FAR, type AttentionVariant } from "./variant.wgsl.ts";

const kernelOnce = kernelMemo();

function problemOf(attributes: AttentionAttributes, inputs: readonly BufferRef[]) {
  const { heads, keyHeads, headDim, parts, dropout, reach, softCap, scale } = attributes;
  const { q, k, rest } = operandsOf(attributes, inputs);
  const [batch, queries] = q.type.shape as [number, number];
  const keys = k.type.shape[1]!;
  const bias = attributes.bias ? rest.at(-1)! : undefined;
  const biasHeads = bias?.type.shape[1] ?? 1;
  const params = {
    heads,
    keyHeads,
    queries,
    keys,
    scale,
    softCap: softCap ?? 0,
    before: Math.min(reach.before ?? FAR, FAR),
    after: Math.min(reach.after ?? FAR, FAR),
    qOffset: parts.q.offset,
    qRow: parts.q.row,
    qStep: parts.q.step,
    kOffset: parts.k.offset,
    kRow: parts.k.row,
    kStep: parts.k.step,
    // Modulo 2³², where v lies before k.
    toV: (parts.v.offset - parts.k.offset) >>> 0,
    biasBatch: bias && bias.type.shape[0] !== 1 ? biasHeads * queries * keys : 0,
    biasHead: bias && biasHeads !== 1 ? queries * keys : 0,
    stream: dropout?.stream ?? 0,
    ...dropoutRule(dropout?.probability ?? 0),
  };
  const gridOf = (tileRows: number, held: number, rows: number, parts: number) => {
    const tiles = Math.ceil(rows / tileRows);
    return { params: { ...params, held, tiles, parts }, workgroups: linearWorkgroups(tiles * parts, 1) };
  };
  const grid = (variant: AttentionVariant, rows: number, parts: number) => {
    const { tileRows, held } = rowsText(variant);
    return gridOf(tileRows, held, rows, parts);
  };
  const tiledGrid = ({ rows: ofLane, lanes: [, lanesY] }: ScoreTile, rows: number, parts: number) => gridOf(ofLane * lanesY, headDim / 4, rows, parts);
  // One product of each query with the keys in its reach.
  const flopsPerProduct = 2 * batch * heads * headDim * pairsInReach(queries, keys, reach);
  const [ofQueries, ofKeys] = [4 * batch * queries * heads * headDim, 4 * batch * keys * keyHeads * headDim];
  return { batch, queries, keys, bias, params, grid, tiledGrid, flopsPerProduct, bytes: { ofQueries, ofKeys } };
}

function pairsInReach(queries: number, keys: number, { before, after }: AttentionAttributes["reach"]): number {
  if (before === null && after === null) return queries * keys;
  let pairs = 0;
  for (let i = 0; i < queries; i++) {
    const own = i + keys - queries;
    pairs += Math.max(0, Math.min(keys - 1, own + (after ?? FAR)) - Math.max(0, own - (before ?? FAR)) + 1);
  }
  return pairs;
}

const tiledVariant = (tile: ScoreTile, { headDim, joined, keys, bias, softCap, dropout, rotary }: AttentionAttributes): TiledVariant => ({ tile, headDim, joined, info: keys, bias, softCap: softCap !== null, dropout: dropout !== null, rotary });

export function lowerAttention(context: LowerContext<AttentionAttributes, AttentionDesign>): void {
  const { attributes, inputs, outputs, adapter, dispatch } = context;
  const { batch, queries, grid, tiledGrid, flopsPerProduct, bytes } = problemOf(attributes, inputs);
  const parts = batch * attributes.heads;
  const { tile } = context.design ?? attentionDesigns(adapter, attributes, { count: queries, parts })[0]!;
  const cost = { flops: 2 * flopsPerProduct, bytes: 2 * (bytes.ofQueries + bytes.ofKeys) };
  if (tile) {
    const variant = tiledVariant(tile, attributes);
    dispatch({ kernel: kernelOnce(["tiled forward", variant], () => tiledForwardKernel(variant)), buffers: [...inputs, ...outputs], ...tiledGrid(tile, queries, parts), ...cost });
    return;
  }
  const variant = attentionVariant(adapter, attributes, "forward");
  if (queries === 1) {
    lowerDecode(context, variant);
    return;
  }
  dispatch({
    kernel: kernelOnce(["forward", variant], () => forwardKernel(variant)),
    buffers: [...inputs, ...outputs],
    ...grid(variant, queries, parts),
    ...cost,
  });
}

/** One query a head. */
function lowerDecode({ attributes, inputs, outputs, adapter, dispatch, scratch }: LowerContext<AttentionAttributes>, forward: AttentionVariant): void {
  const { batch, keys, params, flopsPerProduct, bytes } = problemOf(attributes, inputs);
  const parts = batch * attributes.heads;
  const { variant, splits } = decodeVariant(adapter, forward, parts, keys);
  const vectors = Math.ceil(attributes.headDim / 4);
  const partial = variant.partial ? scratch({ dtype: "f32", shape: [parts, splits, vectors + 1, 4] }) : undefined;
  dispatch({
    kernel: kernelOnce(["decode", variant], () => decodeKernel(variant)),
    buffers: [...inputs, ...(partial ? [partial] : outputs)],
    params: { ...params, held: 0, tiles: splits, parts },
    workgroups: linearWorkgroups(splits * parts, 1),
    flops: 2 * flopsPerProduct,
    bytes: 2 * (bytes.ofQueries + bytes.ofKeys),
  });
  if (!partial) return;
  const count = parts * vectors;
  dispatch({
    kernel: kernelOnce(["combine", variant.headDim, variant.width], () => combineKernel(variant)),
    buffers: [partial, ...outputs],
    params: { count, splits },
    workgroups: linearWorkgroups(count, COMBINE_WORKGROUP_SIZE),
    flops: 8 * count * splits,
    bytes: 16 * count * (splits + 1),
  });
}

export function lowerAttentionGradient({ attributes, design, inputs: [y, logSumExp, dy, ...inputs], outputs, adapter, dispatch, scratch }: LowerContext<AttentionAttributes, AttentionGradientDesign>): void {
  const { heads, keyHeads, headDim, joined, bias: biased } = attributes;
  const { batch, queries, keys, params, grid, tiledGrid, flopsPerProduct, bytes } = problemOf(attributes, inputs);
  const tiles = design ?? attentionGradientDesigns(adapter, attributes, { count: queries, parts: batch * heads }, { count: keys, parts: batch * keyHeads })[0]!;
  const { q: dq, k: dk, v: dv } = operandsOf(attributes, outputs);
  const most = adapter.maxStorageBuffersPerShaderStage;
  const stats = scratch({ dtype: "f32", shape: [batch, heads, queries, 2] });
  // y, the log-sum-exp, dy, dq and stats.
  const writesStats = inputs.length + 5 <= most;
  const ofQueries = (tile: ScoreTile | null) => {
    if (tile) {
      const variant = tiledVariant(tile, attributes);
      return { kernel: kernelOnce(["tiled queries", variant, writesStats], () => tiledGradientOfQueriesKernel(variant, writesStats)), ...tiledGrid(tile, queries, batch * heads) };
    }
    const variant = attentionVariant(adapter, attributes, "queries");
    return { kernel: kernelOnce(["queries", variant, writesStats], () => gradientOfQueriesKernel(variant, writesStats)), ...grid(variant, queries, batch * heads) };
  };
  const ofKeys = (tile: ScoreTile | null, wanted: readonly ("dk" | "dv")[]) => {
    if (tile) {
      const variant = tiledVariant(tile, attributes);
      return { kernel: kernelOnce(["tiled keys", variant, wanted], () => tiledGradientOfKeysKernel(variant, wanted)), ...tiledGrid(tile, keys, batch * keyHeads) };
    }
    const variant = attentionVariant(adapter, attributes, "keys");
    return { kernel: kernelOnce(["keys", variant, wanted], () => gradientOfKeysKernel(variant, wanted)), ...grid(variant, keys, batch * keyHeads) };
  };
  if (!writesStats) {
    const count = batch * heads * queries;
    dispatch({
      kernel: statsKernel,
      buffers: [y!, dy!, logSumExp!, stats],
      params: { count, heads, queries, headDim },
      workgroups: linearWorkgroups(count, LINEAR_WORKGROUP_SIZE),
      flops: 2 * count * headDim,
      bytes: 2 * bytes.ofQueries,
    });
  }
  dispatch({
    ...ofQueries(tiles.queries),
    buffers: writesStats ? [y!, logSumExp!, dy!, ...inputs, dq, stats] : [stats, dy!, ...inputs, dq],
    flops: 3 * flopsPerProduct,
    bytes: 4 * bytes.ofQueries + 2 * bytes.ofKeys,
  });
  const reads = [stats, dy!, ...inputs];
  const together = joined !== "none" || reads.length + 2 <= most;
  for (const wanted of together ? ([["dk", "dv"]] as const) : ([["dk"], ["dv"]] as const)) {
    dispatch({
      ...ofKeys(tiles.keys, wanted),
      buffers: [...reads, ...new Set(wanted.map((name) => (name === "dk" ? dk : dv)))],
      flops: (2 + wanted.length) * flopsPerProduct,
      bytes: 2 * bytes.ofQueries + (2 + wanted.length) * bytes.ofKeys,
    });
  }
  if (!biased) return;
  const dBias = outputs.at(-1)!;
  const count = sizeOf(dBias.type.shape);
  const options = { headDim, joined, info: attributes.keys, softCap: attributes.softCap !== null, dropout: attributes.dropout !== null };
  dispatch({
    kernel: kernelOnce(["bias", options], () => gradientOfBiasKernel(options)),
    buffers: [...reads, dBias],
    params: { count, ...params, held: 0, tiles: 0, parts: 0, batch },
    workgroups: linearWorkgroups(count, LINEAR_WORKGROUP_SIZE),
    flops: 2 * flopsPerProduct,
    bytes: 2 * (bytes.ofQueries + bytes.ofKeys) + 4 * count,
  });
}
