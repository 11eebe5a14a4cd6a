import type { AdapterProfile } from "../../device/profile.ts";
import type { Design } from "../../program/design.ts";
import { adapterClass, type AdapterClass } from "../../tune/adapter-class.ts";
import { GEMV_COLUMNS, gemvBytes, SUBGROUP_LANES, type Gemv } from "./gemv.wgsl.ts";
import type { MatmulShape } from "./op.ts";
import type { RegisterTile } from "./register-tile.wgsl.ts";
import { subgroupMatrixBytes, type SubgroupMatrixTile } from "./subgroup-matrix.wgsl.ts";
import type { WeightFormat } from "./weights.wgsl.ts";
import { workgroupTileBytes, type WorkgroupTile } from "./workgroup-tile.wgsl.ts";

export type MatmulKernel = { readonly kind: "naive" } | ({ readonly kind: "gemv" } & Gemv) | ({ readonly kind: "subgroup-matrix" } & SubgroupMatrixTile) | RegisterKernel | ({ readonly kind: "workgroup" } & WorkgroupTile);
type RegisterKernel = { readonly kind: "register" } & RegisterTile;

export interface MatmulDesign extends Design {
  readonly kernel: MatmulKernel;
  /** Parts of k, summed by a second pass in a fixed order. */
  readonly splits: number;
}

export type AdapterFacts = Pick<AdapterProfile, "kind" | "vendor" | "architecture" | "description" | "features" | "subgroupMinSize" | "subgroupMaxSize" | "maxComputeWorkgroupStorageSize" | "maxComputeInvocationsPerWorkgroup">;

const NAIVE: MatmulKernel = { kind: "naive" };
const quad = (rows: number, columns: number, lanes: readonly [number, number] = [8, 1]): RegisterKernel => ({ kind: "register", rows, columns, lanes, share: "quad" });
const octet = (rows: number, columns: number): RegisterKernel => ({ kind: "register", rows, columns, lanes: [8, 1], share: "octet" });
const direct = (rows: number, columns: number, lanes: readonly [number, number]): RegisterKernel => ({ kind: "register", rows, columns, lanes, share: "none" });
const staged = (rows: number, columns: number, lanes: readonly [number, number], depth: number, stages: 1 | 2 = 1): MatmulKernel => ({ kind: "workgroup", rows, columns, lanes, depth, stages });
const alongK = (rows: number, columns: number, lanes: readonly [number, number], depth: number): MatmulKernel => ({ kind: "workgroup", rows, columns, lanes, depth, stages: 2, alongK: true });

/** A kernel, and the extent that both sides of y must have for it to be the default: the first such one is. Without: only tried. */
type Candidate = readonly [kernel: MatmulKernel, from?: number];

/** On software adapters few tiles, whatever the size: each text costs a second to compile. */
const SOFTWARE: Partial<Record<AdapterClass, readonly Candidate[]>> = {
  lavapipe: [[octet(24, 8), 96], [quad(16, 8), 0], [quad(8, 8)], [quad(4, 8)], [direct(8, 8, [8, 1]), 0]],
  swiftshader: [[quad(16, 16, [4, 1]), 0], [quad(32, 16, [4, 1])], [quad(16, 8)], [quad(8, 8)], [direct(16, 16, [4, 1]), 0]],
  software: [[quad(16, 8), 0], [direct(8, 8, [8, 1]), 0], [quad(8, 8)]],
};
/** Measured on an H200, 2026-11-26: docs/decisions/0014-two-stages-on-discrete-gpus.md. */
const DISCRETE: readonly Candidate[] = [
  [staged(16, 8, [16, 8], 8, 2), 1024],
  [staged(8, 8, [16, 8], 8, 2), 256],
  [staged(4, 4, [16, 8], 16, 2), 128],
  [staged(4, 4, [8, 8], 16), 0],
  [staged(8, 8, [16, 16], 16)],
  [direct(4, 4, [8, 8]), 0],
];
/** The same where both operands lie along k: nothing is turned over, and smaller tiles win earlier than a split sum. */
const DISCRETE_ALONG_K: readonly Candidate[] = [
  [alongK(16, 8, [16, 8], 8), 2048],
  [alongK(8, 8, [16, 8], 16), 512],
  [alongK(8, 8, [16, 8], 8), 512],
  [alongK(4, 4, [16, 8], 16), 128],
  [alongK(4, 4, [8, 8], 16), 0],
  [direct(4, 4, [8, 8]), 0],
];
const INTEGRATED: readonly Candidate[] = [
  [staged(4, 4, [16, 16], 16), 128],
  [staged(4, 4, [8, 8], 16), 0],
  [staged(8, 8, [8, 8], 16)],
  [staged(8, 4, [8, 8], 8)],
  [direct(4, 4, [8, 8]), 0],
  [direct(8, 4, [8, 8])],
];

/** Results with fewer columns leave most lanes of a tile idle. */
const MIN_TILED_COLUMNS = 8;
/** Multiply-adds below which a tile is not worth its launch. */
const MIN_TILED_WORK = 4096;
/** Multiply-adds from which on one lane an element is hopeless. */
const MAX_NAIVE_WORK = 2 ** 20;
/** Rows up to which a product is bound by reading its weights: decoding. */
const MAX_FEW_ROWS = 8;
/** The same of register tiles on software adapters, where tiles that are mostly empty cost as much as full ones. */
const FEW_TILE_ROWS = 4;
/** No part of a split sum is shorter: the second pass has to pay. */
const MIN_SPLIT = 64;
/** On a discrete GPU a second pass is 5 to 8 µs, and a tile's step of k 25 to 130 ns: docs/decisions/0014-two-stages-on-discrete-gpus.md. */
const MIN_SPLIT_DISCRETE = 384;
/** Where all lanes of a workgroup share one part. */
const MIN_SPLIT_GEMV = 2048;
const MAX_SPLITS = 64;
const MAX_DESIGNS = 8;

export const naiveDesign = designOf(NAIVE, 1);

/** Ways to lower one product on one adapter, the default of the adapter's class first. They change no result beyond rounding. */
export function matmulDesigns(adapter: AdapterFacts, shape: MatmulShape, format: WeightFormat = "f32"): readonly MatmulDesign[] {
  const { m, n, k, batches } = shape;
  const work = m * n * k;
  if (work < MIN_TILED_WORK) return [designOf(NAIVE, splitsOf(adapter, shape, NAIVE))];
  const candidates = candidatesOf(adapter, shape).filter(([kernel]) => format === "f32" || kernel.kind !== "register" || kernel.share !== "octet");
  const matrices = format === "f32" ? [] : matrixKernels(adapter, shape);
  const first = n < MIN_TILED_COLUMNS ? NAIVE : kernelForFewRows(adapter, shape) ?? matrices[0] ?? candidates.find(([, from = Infinity]) => from <= Math.min(m, n))![0];
  const kernels = [first, ...matrices, ...candidates.map(([kernel]) => kernel), ...(work * batches <= MAX_NAIVE_WORK ? [NAIVE] : [])];
  const splits = splitsOf(adapter, shape, first);
  const otherSplits = [1, 2 * splits, 4 * splits].filter((count) => count <= mostSplits(k, first, MIN_SPLIT));
  const designs = [designOf(first, splits), ...otherSplits.map((count) => designOf(first, count)), ...kernels.map((kernel) => designOf(kernel, splitsOf(adapter, shape, kernel)))];
  return [...new Map(designs.map((design) => [design.name, design])).values()].slice(0, MAX_DESIGNS);
}

/** Where one tile would be mostly empty. Null where there are more rows, or the weights lie otherwise. */
function kernelForFewRows(adapter: AdapterFacts, { m, k, transposeA, transposeB }: MatmulShape): MatmulKernel | null {
  if (adapter.kind === "software") return m <= FEW_TILE_ROWS ? registerKernel(adapter, m) : null;
  if (m > MAX_FEW_ROWS || transposeA || !transposeB || k % 4 !== 0) return null;
  const gemv: Gemv = { rows: m === 1 ? 1 : m <= 4 ? 4 : 8, reduce: adapter.features.has("subgroups") && adapter.subgroupMinSize >= SUBGROUP_LANES ? "subgroup" : "workgroup" };
  return gemvBytes(gemv) <= adapter.maxComputeWorkgroupStorageSize ? { kind: "gemv", ...gemv } : null;
}

/** Never for weights in f32: matrix units would round them to half floats. The one that suits the shape first. */
function matrixKernels(adapter: AdapterFacts, { m, n, k, transposeA, transposeB }: MatmulShape): MatmulKernel[] {
  const { features, subgroupMinSize: subgroupSize, subgroupMaxSize } = adapter;
  if (!features.has("chromium-experimental-subgroup-matrix") || !features.has("subgroups") || subgroupSize !== subgroupMaxSize || transposeA || !transposeB || k % 4 !== 0) return [];
  const tiles = (Math.min(m, n) >= 128 ? [128, 64] : [64, 128]).map((extent): SubgroupMatrixTile => ({ tileRows: extent, tileColumns: extent, depth: 32, subgroupSize }));
  const fits = tiles.filter((tile) => subgroupMatrixBytes(tile) <= adapter.maxComputeWorkgroupStorageSize && 4 * subgroupSize <= adapter.maxComputeInvocationsPerWorkgroup);
  return fits.map((tile) => ({ kind: "subgroup-matrix", ...tile }));
}

/** For products of `m` rows whose parts are reached through strides, and where workgroup memory is scarce. */
export function registerKernel(adapter: AdapterFacts, m = Infinity): RegisterKernel {
  const [kernel] = candidatesOf(adapter).find((candidate): candidate is [RegisterKernel, number] => candidate[0].kind === "register" && candidate[1] === 0)!;
  return adapter.kind === "software" && m <= FEW_TILE_ROWS ? { ...kernel, rows: m === 1 ? 1 : FEW_TILE_ROWS } : kernel;
}

/** Sizes to a power of two, and how the operands lie. */
export function matmulBucket({ m, n, k, batches, transposeA, transposeB, sharesA, sharesB }: MatmulShape, format: WeightFormat = "f32"): string {
  const upTo = (extent: number) => 2 ** Math.ceil(Math.log2(Math.max(1, extent)));
  const layout = `${transposeA ? "T" : "N"}${transposeB ? "T" : "N"}`;
  return `m${upTo(m)} n${upTo(n)} k${upTo(k)} ${layout}${batches > 1 ? ` b${upTo(batches)}${sharesA ? " one a" : ""}${sharesB ? " one b" : ""}` : ""}${format === "f32" ? "" : ` ${format}`}`;
}

/** Rows and columns of y that one workgroup finishes. */
export function tileExtent(kernel: Exclude<MatmulKernel, { kind: "naive" }>): [number, number] {
  if (kernel.kind === "subgroup-matrix") return [kernel.tileRows, kernel.tileColumns];
  return kernel.kind === "gemv" ? [kernel.rows, GEMV_COLUMNS] : [kernel.rows * kernel.lanes[1], kernel.columns * kernel.lanes[0]];
}

/** Those that the adapter's features and limits allow. */
function candidatesOf(adapter: AdapterFacts, shape?: MatmulShape): readonly Candidate[] {
  const liesAlongK = shape !== undefined && !shape.transposeA && shape.transposeB && shape.k % 4 === 0;
  const hasQuads = adapter.features.has("subgroups") && adapter.subgroupMinSize >= 4;
  const all = SOFTWARE[adapterClass(adapter)] ?? (adapter.kind === "discrete" ? (liesAlongK ? DISCRETE_ALONG_K : DISCRETE) : INTEGRATED);
  return all.filter(([kernel]) => {
    if (kernel.kind === "register") return kernel.share === "none" || (hasQuads && (kernel.share === "quad" || adapter.subgroupMinSize >= 8));
    return kernel.kind !== "workgroup" || (workgroupTileBytes(kernel) <= adapter.maxComputeWorkgroupStorageSize && kernel.lanes[0] * kernel.lanes[1] <= adapter.maxComputeInvocationsPerWorkgroup);
  });
}

function designOf(kernel: MatmulKernel, splits: number): MatmulDesign {
  // Matrix units round one operand to half floats.
  const tolerance = kernel.kind === "subgroup-matrix" ? 2e-3 : undefined;
  return { name: `${nameOf(kernel)}${splits > 1 ? `/split${splits}` : ""}`, kernel, splits, ...(tolerance && { tolerance }) };
}

function nameOf(kernel: MatmulKernel): string {
  if (kernel.kind === "naive") return "naive";
  if (kernel.kind === "subgroup-matrix") return `matrix/${kernel.tileRows}x${kernel.tileColumns}/${kernel.depth}`;
  if (kernel.kind === "gemv") return `gemv/${kernel.rows}/${kernel.reduce}`;
  const [columns, rows] = kernel.lanes;
  const what = kernel.kind === "workgroup" ? "workgroup" : kernel.share === "none" ? "direct" : kernel.share;
  return `${what}/${kernel.rows}x${kernel.columns}/${rows}x${columns}${kernel.kind === "workgroup" ? `/${kernel.depth}x${kernel.stages}${kernel.alongK ? "k" : ""}` : ""}`;
}

/** Splits a long k until the adapter has enough workgroups to be busy. */
function splitsOf(adapter: AdapterFacts, { m, n, k, batches }: MatmulShape, kernel: MatmulKernel): number {
  const wanted = adapter.kind === "software" ? 16 : adapter.kind === "discrete" ? 256 : 64;
  const [rows, columns] = kernel.kind === "naive" ? [1, 32] : tileExtent(kernel);
  const groups = batches * Math.ceil(m / rows) * Math.ceil(n / columns);
  return Math.min(Math.max(1, Math.ceil(wanted / Math.max(1, groups))), mostSplits(k, kernel, adapter.kind === "discrete" && kernel.kind === "workgroup" ? MIN_SPLIT_DISCRETE : MIN_SPLIT));
}

const mostSplits = (k: number, { kind }: MatmulKernel, least: number) => Math.min(MAX_SPLITS, Math.max(1, Math.floor(k / (kind === "gemv" ? MIN_SPLIT_GEMV : least))));
