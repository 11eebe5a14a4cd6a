import type { Joined } from "./operands.ts";

/** Facts of a problem and an adapter that change a kernel's text; sizes come through its uniform. */
export interface AttentionVariant {
  /**
   * Lanes that hold a row together, each a part of headDim: 4 neighbours that add up and hand round by quad operations
   * (feature "subgroups"; each then loads a quarter of every other row), or 1.
   */
  readonly lanes: 4 | 1;
  /** vec4s of headDim that a lane holds of each row. */
  readonly slices: number;
  /** Elements of a load: 4 where headDim is a multiple of 4. */
  readonly width: 4 | 1;
  /** True: lanes · slices · 4 goes past headDim. */
  readonly ragged: boolean;
  /** Rows that `lanes` hold together. */
  readonly rows: number;
  readonly workgroupSize: number;
  readonly joined: Joined;
  /** True: there is a buffer of keys.ts. */
  readonly info: boolean;
  readonly bias: boolean;
  readonly softCap: boolean;
  readonly dropout: boolean;
}

export const ATTENTION_PARAMS = {
  heads: "u32",
  keyHeads: "u32",
  queries: "u32",
  keys: "u32",
  headDim: "u32",
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

export function labelOf({ lanes, slices, width, ragged, rows, joined, info, bias, softCap, dropout }: AttentionVariant): string {
  const options = Object.entries({ info, bias, softCap, dropout }).filter(([, wanted]) => wanted).map(([name]) => `+${name}`);
  return `${lanes === 4 ? "quad" : "lane"}/${rows}x${slices}v${width}${ragged ? "-ragged" : ""}${joined === "none" ? "" : `/${joined}`}${options.join("")}`;
}

/** WGSL type of a binding whose elements are loaded `width` at a time. */
export const typeOf = (width: 1 | 4): string => (width === 4 ? "array<vec4f>" : "array<f32>");

/** The bindings that hold q, k and v, or their gradients: parts of one tensor are in one. */
export function bindingsOf(joined: Joined, prefix: "" | "d" = ""): { q: string; k: string; v: string } {
  const [q, k, v] = { none: ["q", "k", "v"], kv: ["q", "kv", "kv"], qkv: ["qkv", "qkv", "qkv"] }[joined] as [string, string, string];
  return { q: prefix + q, k: prefix + k, v: prefix + v };
}

/** What the forward pass reads beside more. */
export const readsOf = ({ width, joined, info, bias }: Pick<AttentionVariant, "width" | "joined" | "info" | "bias">): Record<string, string> => ({
  ...Object.fromEntries(Object.values(bindingsOf(joined)).map((name) => [name, typeOf(width)])),
  ...(info && { info: "array<u32>" }),
  ...(bias && { bias: "array<f32>" }),
});

/** Module-scope functions: the sum, over the lanes of a row, of four numbers, one for each lane; and the like. */
export function laneFunctions({ lanes }: AttentionVariant): string {
  if (lanes === 1) return "";
  return `
// Each lane has a part of four sums; lane i gets the whole of sum i: three swaps instead of eight.
fn sumForOwn(s0: f32, s1: f32, s2: f32, s3: f32, own: u32) -> f32 {
  let odd = (own & 1u) == 1u;
  let low = select(s0, s1, odd) + quadSwapX(select(s1, s0, odd));
  let high = select(s2, s3, odd) + quadSwapX(select(s3, s2, odd));
  let upper = own >= 2u;
  return select(low, high, upper) + quadSwapY(select(high, low, upper));
}
fn sumOfLanes(x: f32) -> f32 {
  let pair = x + quadSwapX(x);
  return pair + quadSwapY(pair);
}
fn maxOfLanes(x: f32) -> f32 {
  let pair = max(x, quadSwapX(x));
  return max(pair, quadSwapY(pair));
}`;
}

/** How a kernel's text spells what depends on the number of lanes. */
export function spelling(variant: AttentionVariant) {
  const { lanes, slices, width, ragged } = variant;
  const quad = lanes === 4;
  const element = (s: number) => (quad ? `(own + ${4 * s}u)` : `${s}u`);
  const bound = width === 4 ? "(p.headDim / 4u)" : "p.headDim";
  return {
    sumForOwn: (parts: readonly string[]) => (quad ? `sumForOwn(${parts.join(", ")}, own)` : parts[0]!),
    sumOfLanes: (x: string) => (quad ? `sumOfLanes(${x})` : x),
    maxOfLanes: (x: string) => (quad ? `maxOfLanes(${x})` : x),
    of: (lane: number, x: string) => (quad ? `quadBroadcast(${x}, ${lane}u)` : x),
    /** `own`: which part of each row this lane holds; `first`: the first row of this lane's group. */
    setup: [
      `let own = ${quad ? "localIndex % 4u" : "0u"};`,
      `let first = (tile * ${variant.workgroupSize / lanes}u + localIndex / ${lanes}u) * ${variant.rows}u;`,
      ...range(slices).flatMap((s) =>
        width === 4 ? [`let d${s} = ${ragged ? `min(${element(s)}, ${bound} - 1u)` : element(s)};`] : range(4).map((c) => `let d${s}_${c} = min(${element(s)} * 4u + ${c}u, p.headDim - 1u);`),
      ),
    ].map((line) => `  ${line}`).join("\n"),
    /** Slice s of the row that begins at element `row`; past headDim, some number of that row. */
    load: (buffer: string, row: string, s: number) =>
      width === 4 ? `${buffer}[${row} / 4u + d${s}]` : `vec4f(${range(4).map((c) => `${buffer}[${row} + d${s}_${c}]`).join(", ")})`,
    /** The same with zeros past headDim. */
    loadOwn(buffer: string, row: string, s: number): string {
      const value = this.load(buffer, row, s);
      if (!ragged) return value;
      const inside = width === 4 ? `${element(s)} < ${bound}` : `${element(s)} * 4u + vec4u(0u, 1u, 2u, 3u) < vec4u(p.headDim)`;
      return `select(vec4f(0), ${value}, ${inside})`;
    },
    store(buffer: string, row: string, s: number, value: string): string {
      if (width === 4) {
        const statement = `${buffer}[${row} / 4u + d${s}] = ${value};`;
        return ragged ? `if (${element(s)} < ${bound}) { ${statement} }` : statement;
      }
      return range(4).map((c) => `if (${element(s)} * 4u + ${c}u < p.headDim) { ${buffer}[${row} + d${s}_${c}] = (${value}).${"xyzw"[c]}; }`).join(" ");
    },
  };
}

/** Statements: this workgroup's `tile` and `part`. */
export const TILE_OF_WORKGROUP = `
  let id = workgroup.y * numWorkgroups.x + workgroup.x;
  let tile = id % p.tiles;
  let part = id / p.tiles;
  if (part >= p.parts) { return; }`;

/** The factor of dropout on the probability of pair (i, j), drawn again wherever it is needed. */
export const keepFactor = (i: string, j: string): string =>
  `select(0.0, p.keepScale, randomBits((((b * p.heads + h) * p.queries + ${i}) * p.keys + ${j}), info[0], p.stream) >= p.dropBelow)`;

/** Index of element 0 of a query's row in q, in y, and of a key's row in k. */
export const rowOfQ = (i: string): string => `p.qOffset + (b * p.queries + ${i}) * p.qRow + h * p.qStep`;
export const rowOfY = (i: string): string => `((b * p.queries + ${i}) * p.heads + h) * p.headDim`;
export const rowOfK = (j: string): string => `p.kOffset + (b * p.keys + ${j}) * p.kRow + keyHead * p.kStep`;

/**
 * Statements: `score` of a pair from the product of its rows, and with a soft cap its derivative `slope`; t names both.
 * tanh of much is 1, and NaN on SwiftShader.
 */
export function scoreOf({ bias, softCap }: Pick<AttentionVariant, "bias" | "softCap">, t: number | string, product: string, i: string, j: string): string {
  const added = bias ? ` + bias[b * p.biasBatch + h * p.biasHead + ${i} * p.keys + ${j}]` : "";
  if (!softCap) return `let score${t} = ${product} * p.scale${added};`;
  return `let tanh${t} = tanh(clamp(${product} * p.scale / p.softCap, -15.0, 15.0));
    let slope${t} = 1.0 - tanh${t} * tanh${t};
    let score${t} = tanh${t} * p.softCap${added};`;
}

/** Condition: key j is no padding. */
export const isKey = ({ info }: Pick<AttentionVariant, "info">, j: string): string => (info ? `info[flags + 2u + ${j}] != 0u` : "true");

/** The workgroup's tile of queries, its head and the key head that it shares, and the range of keys [begin, end) that any of its queries may see. */
export function queriesOfWorkgroup({ workgroupSize, lanes, rows, info }: AttentionVariant, setup: string): string {
  const tileRows = (workgroupSize / lanes) * rows;
  return `${TILE_OF_WORKGROUP}
  let b = part / p.heads;
  let h = part % p.heads;
  let keyHead = h / (p.heads / p.keyHeads);
${setup}
  let shift = i32(p.keys) - i32(p.queries);
  let flags = 1u + b * (p.keys + 2u);
  let begin = max(${info ? "i32(info[flags])" : "0"}, i32(tile * ${tileRows}u) + shift - p.before);
  let end = min(${info ? "i32(info[flags + 1u])" : "i32(p.keys)"}, i32((tile + 1u) * ${tileRows}u) + shift + p.after);`;
}

/** Statements: the first key that query i sees, and how many from there on. */
export const reachOfQuery = (t: number): string =>
  `let low${t} = max(0, i32(i${t}) + shift - p.before); let reach${t} = u32(max(0, min(i32(p.keys) - 1, i32(i${t}) + shift + p.after) - low${t} + 1));`;
