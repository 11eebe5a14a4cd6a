import type { AdapterProfile } from "../../device/profile.ts";
import { RANDOM_BITS_WGSL } from "../dropout/random.ts";
import { INFO_WORDS } from "./keys.ts";
import { pairsStayTogether, rotaryTableType, type ChunkRotation } from "../rotary/rotate.wgsl.ts";
import type { AttentionAttributes } from "./op.ts";
import type { Joined, Operands } from "./operands.ts";

/** Facts of a problem and an adapter that change a kernel's text; lengths come through its uniform. */
export interface AttentionVariant {
  /**
   * How lanes get the rows that all of them need: each loads a part, and the parts are handed round by shuffles within a
   * subgroup of 8 or by quad operations, or each lane loads all; or the workgroup loads a tile into its memory.
   */
  readonly sharing: "shuffle" | "quad" | "none" | "tile";
  /** Neighbouring lanes that hold a row together, each a part of headDim; they add up by quad operations. */
  readonly split: 4 | 1;
  readonly headDim: number;
  /** Elements of a load: 4 where everything is a multiple of 4. */
  readonly width: 4 | 1;
  /** Rows that a lane (or `split` lanes) holds in registers. */
  readonly rows: number;
  /** Other rows that a turn of the loop takes. */
  readonly unroll: number;
  readonly workgroupSize: number;
  readonly joined: Joined;
  /** True: there is a buffer of keys.ts. */
  readonly info: boolean;
  readonly bias: boolean;
  readonly softCap: boolean;
  readonly dropout: boolean;
  /** Queries are turned as they are loaded, and keys too, unless they are already. */
  readonly rotary: (ChunkRotation & { readonly keys: boolean }) | null;
}

/** Tensors of rows that a lane keeps: q and y; q, dy and dq; k, v, dk and dv. */
const HELD = { forward: 2, queries: 3, keys: 4 } as const;
/** vec4s that a lane of a CPU may keep: what fits into its first cache for eight lanes. */
const SOFTWARE_VECTORS = 128;
const SOFTWARE_ROWS = 4;
/** What fits into the registers of a GPU's thread beside all else. */
const GPU_VECTORS = 32;
/** Rows of more elements are taken one a turn: a CPU blends what a loop carries once a turn, but compiles long texts slowly. */
const TURN_ELEMENTS = 32;
/** Rows of a tile, or of a word of flags. */
export const TILE_ROWS = 32;

/** Whether all rows begin and end with a vec4. */
export const isAligned = (headDim: number, parts: Operands["parts"]): boolean => [headDim, ...Object.values(parts).flatMap(({ offset, row, step }) => [offset, row, step])].every((elements) => elements % 4 === 0);

export function attentionVariant(adapter: Pick<AdapterProfile, "kind" | "features" | "subgroupMinSize" | "subgroupMaxSize">, { headDim, joined, parts, keys, bias, softCap, dropout, rotary }: AttentionAttributes, pass: keyof typeof HELD): AttentionVariant {
  const software = adapter.kind === "software";
  const [least, most] = adapter.features.has("subgroups") ? [adapter.subgroupMinSize, adapter.subgroupMaxSize] : [0, 0];
  const vectors = Math.ceil(headDim / 4) * HELD[pass];
  const rows = [SOFTWARE_ROWS, 2].find((count) => software && count * vectors <= SOFTWARE_VECTORS) ?? 1;
  return {
    sharing: !software ? "tile" : least === 8 && most === 8 ? "shuffle" : least >= 4 ? "quad" : "none",
    split: !software && least >= 4 && vectors > GPU_VECTORS && (pass === "forward" || !rotary || pairsStayTogether(rotary, 4)) ? 4 : 1,
    headDim,
    width: isAligned(headDim, parts) ? 4 : 1,
    rows,
    unroll: headDim <= TURN_ELEMENTS ? 2 : 1,
    workgroupSize: software ? 8 : 64,
    joined,
    info: keys,
    bias,
    softCap: softCap !== null,
    dropout: dropout !== null,
    rotary,
  };
}

export const ATTENTION_PARAMS = {
  heads: "u32",
  keyHeads: "u32",
  queries: "u32",
  keys: "u32",
  /** vec4s that a lane holds of one tensor's rows, in tiles vec4s of a row: known to the text, but not unrolled this way. */
  held: "u32",
  tiles: "u32",
  /** Batch times heads: workgroups are tiles · parts, and some past the end. */
  parts: "u32",
  scale: "f32",
  softCap: "f32",
  /** How many keys before and after its own place a query sees: at most FAR. */
  before: "i32",
  after: "i32",
  /** Elements from the start of its tensor to q and k, from a row to the next, from a head to the next; from k to v. */
  qOffset: "u32",
  qRow: "u32",
  qStep: "u32",
  kOffset: "u32",
  kRow: "u32",
  kStep: "u32",
  toV: "u32",
  /** Elements of the bias from one batch and from one head to the next; 0 where one serves all. */
  biasBatch: "u32",
  biasHead: "u32",
  stream: "u32",
  dropBelow: "u32",
  keepScale: "f32",
} as const;

/** No limit to a query's reach; sums of a few of it are still an i32. */
export const FAR = 2 ** 28;

export const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
export const LOWEST = "-3.4028234663852886e38f";

export function labelOf({ sharing, split, headDim, width, rows, unroll, joined, rotary, ...options }: AttentionVariant): string {
  const extras = (["info", "bias", "softCap", "dropout"] as const).filter((name) => options[name]).map((name) => `+${name}`);
  return `${sharing}${split === 4 ? "-split" : ""}/${rows}x${unroll}x${headDim}v${width}${joined === "none" ? "" : `/${joined}`}${extras.join("")}${rotaryLabel({ rotary })}/f32`;
}

export const rotaryLabel = ({ rotary }: Pick<AttentionVariant, "rotary">): string => (rotary ? `+rotary-${rotary.interleaved ? "interleaved-" : ""}${rotary.keys ? "qk" : "q"}${rotary.dims}` : "");

/** WGSL type of a binding whose elements are loaded `width` at a time. */
export const typeOf = (width: 1 | 4): string => (width === 4 ? "array<vec4f>" : "array<f32>");

/** The bindings that hold q, k and v, or their gradients: parts of one tensor are in one. */
export function bindingsOf(joined: Joined, prefix: "" | "d" = ""): { q: string; k: string; v: string } {
  const [q, k, v] = { none: ["q", "k", "v"], kv: ["q", "kv", "kv"], qkv: ["qkv", "qkv", "qkv"] }[joined] as [string, string, string];
  return { q: prefix + q, k: prefix + k, v: prefix + v };
}

/** What the forward pass reads beside more. */
export const readsOf = ({ width, joined, info, rotary, bias }: Pick<AttentionVariant, "width" | "joined" | "info" | "rotary" | "bias">): Record<string, string> => ({
  ...Object.fromEntries(Object.values(bindingsOf(joined)).map((name) => [name, typeOf(width)])),
  ...(info && { info: "array<u32>" }),
  ...(rotary && { rotary: rotaryTableType(rotary) }),
  ...(bias && { bias: "array<f32>" }),
});

export const randomModule = ({ dropout }: Pick<AttentionVariant, "dropout">): string => (dropout ? RANDOM_BITS_WGSL : "");

/** The factor of dropout on the probability of pair (i, j), drawn again wherever it is needed. */
export const keepFactor = (i: string, j: string): string =>
  `select(0.0, p.keepScale, randomBits((((b * p.heads + h) * p.queries + ${i}) * p.keys + ${j}), info[0], p.stream) >= p.dropBelow)`;

/** Index of element 0 of a query's row in q, in y, and of a key's row in k. */
export const rowOfQ = (i: string): string => `(p.qOffset + (b * p.queries + ${i}) * p.qRow + h * p.qStep)`;
export const rowOfY = (i: string, headDim: number): string => `(((b * p.queries + ${i}) * p.heads + h) * ${headDim}u)`;
export const rowOfK = (j: string): string => `(p.kOffset + (b * p.keys + ${j}) * p.kRow + keyHead * p.kStep)`;
/** Positions for rotary embedding: undefined where rows stay as they are. */
export const positionOfQ = ({ rotary }: Pick<AttentionVariant, "rotary">) => (rotary ? (i: string): string => `u32(max(0, i32(${i}) + shift))` : undefined);
export const positionOfK = ({ rotary }: Pick<AttentionVariant, "rotary">) => (rotary?.keys ? (j: string): string => `(${j})` : undefined);
export const rowOfV = (j: string): string => `(p.toV + ${rowOfK(j)})`;

/**
 * Statements: `score` of a pair from the product of its rows, and with a soft cap its derivative `slope`; t names both.
 * tanh of much is 1, and NaN on SwiftShader.
 */
export function scoreOf({ bias, softCap }: Pick<AttentionVariant, "bias" | "softCap">, t: string, product: string, i: string, j: string): string {
  const added = bias ? ` + bias[b * p.biasBatch + h * p.biasHead + ${i} * p.keys + ${j}]` : "";
  if (!softCap) return `let score${t} = ${product} * p.scale${added};`;
  return `let tanh${t} = tanh(clamp(${product} * p.scale / p.softCap, -15.0, 15.0));
      let slope${t} = 1.0 - tanh${t} * tanh${t};
      let score${t} = tanh${t} * p.softCap${added};`;
}

/** Statements: where the words of keys.ts for batch b begin; how far the keys are ahead of the queries. */
export const keysOfBatch = ({ info }: Pick<AttentionVariant, "info">): string =>
  info
    ? `let flags = 1u + b * (${INFO_WORDS}u + (p.keys + ${TILE_ROWS - 1}u) / ${TILE_ROWS}u);
  let shift = i32(info[flags + 2u]) - i32(p.queries);`
    : "let shift = i32(p.keys) - i32(p.queries);";
/** Condition: key j is no padding. */
export const isKey = ({ info }: Pick<AttentionVariant, "info">, j: string): string => (info ? `((info[flags + ${INFO_WORDS}u + ${j} / ${TILE_ROWS}u] >> (${j} % ${TILE_ROWS}u)) & 1u) != 0u` : "true");
