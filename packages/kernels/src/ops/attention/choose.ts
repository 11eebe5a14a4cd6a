import type { AdapterProfile } from "../../device/profile.ts";
import type { Design } from "../../program/design.ts";
import type { AttentionAttributes } from "./op.ts";
import { tileBytes, type ScoreTile } from "./tiles.wgsl.ts";
import { isAligned } from "./variant.wgsl.ts";

/** How attention is lowered: by tiles of scores, or where there is none, a lane a row. */
export interface AttentionDesign extends Design {
  readonly tile: ScoreTile | null;
}

/** The same of its gradient: of queries, and of keys and values. */
export interface AttentionGradientDesign extends Design {
  readonly queries: ScoreTile | null;
  readonly keys: ScoreTile | null;
}

/** Rows that the pass holds, and in how many batches and heads. */
export interface HeldRows {
  readonly count: number;
  readonly parts: number;
}

export const ROWS: AttentionDesign = { name: "rows", tile: null };
export const GRADIENT_ROWS: AttentionGradientDesign = { name: "rows", queries: null, keys: null };

type AdapterFacts = Pick<AdapterProfile, "kind" | "features" | "subgroupMinSize" | "maxComputeWorkgroupStorageSize" | "maxComputeInvocationsPerWorkgroup">;

/** A GPU's driver may write loops out. */
const tile = (x: number, y: number, rows: number, columns: number): ScoreTile => ({ lanes: [x, y], rows, columns, fixed: true });

/** The fastest first, measured on an H200, 2026-11-26 (docs/decisions/0015-tiles-of-scores-and-rows-in-registers.md); then such as need less memory or neighbours. */
const TILES = {
  forward: [tile(16, 16, 4, 4), tile(8, 16, 4, 8), tile(8, 16, 2, 4), tile(8, 8, 4, 8), tile(8, 8, 4, 4)],
  queries: [tile(8, 16, 4, 4), tile(16, 16, 2, 4), tile(8, 8, 4, 8), tile(8, 8, 4, 4)],
  keys: [tile(8, 16, 2, 4), tile(8, 16, 3, 4), tile(8, 16, 4, 4), tile(8, 8, 4, 4)],
} as const satisfies Record<string, readonly ScoreTile[]>;

/** Workgroups that keep a discrete GPU busy: of fewer, smaller ones are better. */
const WANTED_WORKGROUPS = 256;

/** Tiles that the adapter and the problem allow, the best first: the first that makes workgroups enough, else the one that makes most. */
function tilesFor(pass: keyof typeof TILES, adapter: AdapterFacts, { headDim, parts }: AttentionAttributes, held: HeldRows): ScoreTile[] {
  if (adapter.kind === "software" || !adapter.features.has("subgroups") || !isAligned(headDim, parts)) return [];
  const fits = TILES[pass].filter((each) => {
    const [x, y] = each.lanes;
    return x <= adapter.subgroupMinSize && x * y <= adapter.maxComputeInvocationsPerWorkgroup && tileBytes(pass, { headDim, tile: each }) <= adapter.maxComputeWorkgroupStorageSize;
  });
  const groups = ({ lanes: [, y], rows }: ScoreTile) => held.parts * Math.ceil(held.count / (rows * y));
  const most = Math.max(...fits.map(groups));
  const first = fits.find((each) => groups(each) >= Math.min(WANTED_WORKGROUPS, most));
  return first ? [first, ...fits.filter((each) => each !== first)] : [];
}

const nameOf = (each: ScoreTile | null | undefined) => (each ? `${each.lanes[1]}x${each.lanes[0]}x${each.rows}x${each.columns}` : "rows");

/** Ways to lower attention, the default of the adapter's class first. Tiles are measured on discrete GPUs alone. */
export function attentionDesigns(adapter: AdapterFacts, attributes: AttentionAttributes, held: HeldRows): readonly AttentionDesign[] {
  if (held.count === 1) return [ROWS];
  const tiled = tilesFor("forward", adapter, attributes, held).map((each): AttentionDesign => ({ name: `tiles/${nameOf(each)}`, tile: each }));
  return adapter.kind === "discrete" ? [...tiled, ROWS] : [ROWS, ...tiled];
}

export function attentionGradientDesigns(adapter: AdapterFacts, attributes: AttentionAttributes, queries: HeldRows, keys: HeldRows): readonly AttentionGradientDesign[] {
  const [ofQueries, ofKeys] = [tilesFor("queries", adapter, attributes, queries), tilesFor("keys", adapter, attributes, keys)];
  const tiled = Array.from({ length: Math.max(ofQueries.length, ofKeys.length) }, (_, i): AttentionGradientDesign => {
    const [ofQuery, ofKey] = [ofQueries[Math.min(i, ofQueries.length - 1)] ?? null, ofKeys[Math.min(i, ofKeys.length - 1)] ?? null];
    return { name: `tiles/${nameOf(ofQuery)}+${nameOf(ofKey)}`, queries: ofQuery, keys: ofKey };
  });
  return adapter.kind === "discrete" ? [...tiled, GRADIENT_ROWS] : [GRADIENT_ROWS, ...tiled];
}
