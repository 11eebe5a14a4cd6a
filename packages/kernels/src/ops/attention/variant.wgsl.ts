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
  readonly bias: boolean;
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
  causal: "u32",
  /** Elements of the bias from one batch and from one head to the next; 0 where one serves all. */
  biasBatch: "u32",
  biasHead: "u32",
  /** Elements of q, and of k and v, from one position to the next, and before the first key and value: they may be parts of one tensor. */
  rowQ: "u32",
  rowK: "u32",
  startK: "u32",
  startV: "u32",
  stream: "u32",
  dropBelow: "u32",
  keepScale: "f32",
} as const;

export const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
export const LOWEST = "-3.4028234663852886e38f";

export const labelOf = ({ lanes, slices, width, ragged, rows, bias, dropout }: AttentionVariant): string =>
  `${lanes === 4 ? "quad" : "lane"}/${rows}x${slices}v${width}${ragged ? "-ragged" : ""}${bias ? "+bias" : ""}${dropout ? "+dropout" : ""}`;

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

/** Element 0 of a row of q (and of dq), of y (and of dy), of k, of v. */
export const placeOf = {
  q: (i: string): string => `((b * p.queries + ${i}) * p.rowQ + h * p.headDim)`,
  y: (i: string): string => `(((b * p.queries + ${i}) * p.heads + h) * p.headDim)`,
  k: (j: string): string => `((b * p.keys + ${j}) * p.rowK + p.startK + keyHead * p.headDim)`,
  v: (j: string): string => `((b * p.keys + ${j}) * p.rowK + p.startV + keyHead * p.headDim)`,
};

export const biasOf = (i: string, j: string): string => `bias[b * p.biasBatch + h * p.biasHead + ${i} * p.keys + ${j}]`;

/** The workgroup's tile of queries, its head and the key head that it shares, and the range of keys [begin, end) that any of its queries may see. */
export const queriesOfWorkgroup = ({ workgroupSize, lanes, rows }: AttentionVariant, setup: string): string => `${TILE_OF_WORKGROUP}
  let b = part / p.heads;
  let h = part % p.heads;
  let keyHead = h / (p.heads / p.keyHeads);
${setup}
  let shift = i32(p.keys) - i32(p.queries);
  let flags = 1u + b * (p.keys + 2u);
  let begin = info[flags];
  var end = i32(info[flags + 1u]);
  if (p.causal != 0u) { end = min(end, i32((tile + 1u) * ${(workgroupSize / lanes) * rows}u) + shift); }`;
