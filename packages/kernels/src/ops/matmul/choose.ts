import type { AdapterProfile } from "../../device/profile.ts";
import { GEMV_COLUMNS, gemvBytes, SUBGROUP_LANES, type Gemv } from "./gemv.wgsl.ts";
import type { MatmulShape } from "./op.ts";
import type { RegisterTile } from "./register-tile.wgsl.ts";
import { subgroupMatrixBytes, type SubgroupMatrixTile } from "./subgroup-matrix.wgsl.ts";
import type { WeightFormat } from "./weights.wgsl.ts";
import { workgroupTileBytes, type WorkgroupTile } from "./workgroup-tile.wgsl.ts";

export type MatmulDesign = { readonly kind: "naive" } | ({ readonly kind: "gemv" } & Gemv) | ({ readonly kind: "subgroup-matrix" } & SubgroupMatrixTile) | ({ readonly kind: "register" } & RegisterTile) | ({ readonly kind: "workgroup" } & WorkgroupTile);

export interface MatmulChoice {
  readonly design: MatmulDesign;
  /** Parts of k, summed by a second pass in a fixed order. */
  readonly splits: number;
}

type AdapterFacts = Pick<AdapterProfile, "kind" | "architecture" | "description" | "features" | "subgroupMinSize" | "subgroupMaxSize" | "maxComputeWorkgroupStorageSize" | "maxComputeInvocationsPerWorkgroup">;

/** Results with fewer columns leave most lanes of a tile idle. */
const MIN_TILED_COLUMNS = 8;
/** Multiply-adds below which a tile is not worth its launch. */
const MIN_TILED_WORK = 4096;
/** Rows up to which a product is bound by reading its weights: decoding. */
const MAX_FEW_ROWS = 8;
/** No part of a split sum is shorter: the second pass has to pay. */
const MIN_SPLIT = 64;
/** Where all lanes of a workgroup share one part. */
const MIN_SPLIT_GEMV = 2048;

/**
 * The kernel design for one product on one adapter. A tuner may replace the answer: it changes no result beyond rounding.
 */
export function chooseMatmulKernel(adapter: AdapterFacts, shape: MatmulShape, format: WeightFormat = "f32"): MatmulChoice {
  const design = chooseDesign(adapter, shape, format);
  return { design, splits: chooseSplits(adapter, shape, design) };
}

function chooseDesign(adapter: AdapterFacts, shape: MatmulShape, format: WeightFormat): MatmulDesign {
  const { m, n, k } = shape;
  const software = adapter.kind === "software";
  if (n < MIN_TILED_COLUMNS || m * n * k < MIN_TILED_WORK) return { kind: "naive" };
  // One tile whatever the size: each text costs a CPU driver a second to compile.
  if (software) return { kind: "register", ...chooseRegisterTile(adapter), ...(m <= 4 && { rows: m === 1 ? 1 : 4 }) };
  const gemv = chooseGemv(adapter, shape);
  if (gemv) return { kind: "gemv", ...gemv };
  const matrices = format === "f32" ? null : chooseSubgroupMatrix(adapter, shape);
  if (matrices) return { kind: "subgroup-matrix", ...matrices };
  const large: WorkgroupTile = { rows: 8, columns: 8, lanes: [16, 16], depth: 16 };
  const medium: WorkgroupTile = { rows: 4, columns: 4, lanes: [16, 16], depth: 16 };
  const small: WorkgroupTile = { rows: 4, columns: 4, lanes: [8, 8], depth: 16 };
  const order = adapter.kind === "discrete" && m >= 512 && n >= 512 ? [large, medium, small] : m >= 128 && n >= 128 ? [medium, small] : [small];
  const fits = order.find((tile) => workgroupTileBytes(tile) <= adapter.maxComputeWorkgroupStorageSize && tile.lanes[0] * tile.lanes[1] <= adapter.maxComputeInvocationsPerWorkgroup);
  return fits ? { kind: "workgroup", ...fits } : { kind: "register", ...chooseRegisterTile(adapter) };
}

function chooseGemv(adapter: AdapterFacts, { m, k, transposeA, transposeB }: MatmulShape): Gemv | null {
  if (m > MAX_FEW_ROWS || transposeA || !transposeB || k % 4 !== 0) return null;
  const gemv: Gemv = { rows: m === 1 ? 1 : m <= 4 ? 4 : 8, reduce: adapter.features.has("subgroups") && adapter.subgroupMinSize >= SUBGROUP_LANES ? "subgroup" : "workgroup" };
  return gemvBytes(gemv) <= adapter.maxComputeWorkgroupStorageSize ? gemv : null;
}

/** Never for weights in f32: matrix units would round them to half floats. */
function chooseSubgroupMatrix(adapter: AdapterFacts, { m, n, k, transposeA, transposeB }: MatmulShape): SubgroupMatrixTile | null {
  const { features, subgroupMinSize: subgroupSize, subgroupMaxSize } = adapter;
  if (!features.has("chromium-experimental-subgroup-matrix") || !features.has("subgroups") || subgroupSize !== subgroupMaxSize || transposeA || !transposeB || k % 4 !== 0) return null;
  const tiles = [128, 64].map((extent) => ({ tileRows: extent, tileColumns: extent, depth: 32, subgroupSize }));
  const fits = tiles.filter((tile) => subgroupMatrixBytes(tile) <= adapter.maxComputeWorkgroupStorageSize && 4 * subgroupSize <= adapter.maxComputeInvocationsPerWorkgroup);
  return fits.find(({ tileRows }) => tileRows <= Math.min(m, n)) ?? fits.at(-1) ?? null;
}

/** The tile for products that use no workgroup memory. */
export function chooseRegisterTile(adapter: AdapterFacts): RegisterTile {
  if (adapter.kind !== "software") return { rows: 4, columns: 4, lanes: [8, 8], share: "none" };
  const quad = adapter.features.has("subgroups") && adapter.subgroupMinSize >= 4;
  const swiftShader = /swiftshader/i.test(`${adapter.architecture} ${adapter.description}`);
  return { rows: swiftShader || !quad ? 8 : 16, columns: 8, lanes: [8, 1], share: quad ? "quad" : "none" };
}

/** Rows and columns of y that one workgroup finishes. */
export function tileExtent(design: Exclude<MatmulDesign, { kind: "naive" }>): [number, number] {
  if (design.kind === "subgroup-matrix") return [design.tileRows, design.tileColumns];
  return design.kind === "gemv" ? [design.rows, GEMV_COLUMNS] : [design.rows * design.lanes[1], design.columns * design.lanes[0]];
}

/** Splits a long k until the adapter has enough workgroups to be busy. */
function chooseSplits(adapter: AdapterFacts, { m, n, k, batches }: MatmulShape, design: MatmulDesign): number {
  const wanted = adapter.kind === "software" ? 16 : adapter.kind === "discrete" ? 256 : 64;
  const [rows, columns] = design.kind === "naive" ? [1, 32] : tileExtent(design);
  const groups = batches * Math.ceil(m / rows) * Math.ceil(n / columns);
  return Math.max(1, Math.min(Math.ceil(wanted / Math.max(1, groups)), Math.floor(k / (design.kind === "gemv" ? MIN_SPLIT_GEMV : MIN_SPLIT)), 64));
}
