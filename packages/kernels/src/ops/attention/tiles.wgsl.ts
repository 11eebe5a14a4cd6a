import { turnChunk } from "../rotary/rotate.wgsl.ts";
import { turningModule, type Rows } from "./rows.wgsl.ts";
import { bindingsOf, positionOfK, positionOfQ, randomModule, range, readsOf, rotaryLabel, rowOfK, rowOfQ, rowOfV, rowOfY, typeOf, type AttentionVariant } from "./variant.wgsl.ts";

/**
 * How lanes share a tile of scores, held rows by other rows: lane (x, y) has those of the held rows y, y + lanes y, … with the
 * others x, x + lanes x, …, and of what is summed up for the held rows the vec4s x, x + lanes x, …
 */
export interface ScoreTile {
  /** Multiples of 4; the first a power of two, and no more than run together, since they look for a row's largest score by shuffles. */
  readonly lanes: readonly [x: number, y: number];
  readonly rows: number;
  /** A multiple of 4. */
  readonly columns: number;
  /** True: drivers see how often loops turn, and may write them out. Else the number comes through the uniform. */
  readonly fixed?: boolean;
}

/** Facts of a problem that change the text; every row begins and ends with a vec4. */
export type TiledVariant = Pick<AttentionVariant, "headDim" | "joined" | "info" | "bias" | "softCap" | "dropout" | "rotary"> & { readonly tile: ScoreTile };

/** Rows of headDim, or of vec4s of scores, that lie in workgroup memory so that neighbouring rows are in different banks. */
const layoutOf = (chunks: number) => {
  const swizzled = chunks % 8 === 0;
  const stride = swizzled || chunks % 2 === 1 ? chunks : chunks + 1;
  return { stride, at: (row: string, chunk: string) => `${row} * ${stride}u + ${swizzled ? `(${chunk} ^ (${row} & 7u))` : chunk}` };
};

/**
 * `slabs` arrays of `size` vec4s in one of `outer` arrays. A shader's indices are checked by the browser, once for all accesses that
 * differ in constants alone: so a slab's number is always one.
 */
interface Slabs {
  readonly name: string;
  at(slab: number, index: string): string;
  /** For a slab that is known at run time only. */
  atDynamic(slab: string, index: string): string;
}

function slabsIn(name: string, outer: number, size: number): Slabs {
  return {
    name,
    at: (slab, index) => `${name}[${slab % outer}][${slab >= outer ? `${Math.floor(slab / outer) * size}u + ` : ""}${index}]`,
    atDynamic: (slab, index) => `${name}[${slab} % ${outer}u][${slab} / ${outer}u * ${size}u + ${index}]`,
  };
}

/** vec4s of a lane under way at once, while a tile comes. */
const IN_FLIGHT = 4;

/** Vec4s of workgroup memory, by the name of what is there. */
interface Memory {
  readonly name: string;
  readonly outer: number;
  readonly inner: number;
}

/** Memory for slabs of several sizes, one after the other. */
function memoryFor(name: string, uses: readonly { slabs: number; size: number }[]): Memory {
  const innerOf = (outer: number) => Math.max(...uses.map(({ slabs, size }) => Math.ceil(slabs / outer) * size));
  const outers = range(Math.max(...uses.map(({ slabs }) => slabs))).map((i) => i + 1);
  // The more, the fewer indices differ in more than constants.
  const outer = outers.reduce((best, count) => (count * innerOf(count) <= best * innerOf(best) ? count : best));
  return { name, outer, inner: innerOf(outer) };
}

const sizesOf = ({ headDim, tile: { lanes: [x, y], rows, columns } }: Pick<TiledVariant, "headDim" | "tile">) => {
  const { stride } = layoutOf(headDim / 4);
  return {
    held: { slabs: rows, size: y * stride },
    others: { slabs: columns, size: x * stride },
    scores: { slabs: (rows * columns) / 4, size: y * layoutOf(x).stride },
  };
};

/** What is in workgroup memory in each pass; scores take the place of what is needed no longer. */
export function memoriesOf(pass: "forward" | "queries" | "keys", variant: Pick<TiledVariant, "headDim" | "tile">): readonly Memory[] {
  const { held, others, scores } = sizesOf(variant);
  switch (pass) {
    case "forward":
      return [memoryFor("held0", [held]), memoryFor("other0", [others, scores]), memoryFor("other1", [others])];
    case "queries":
      return [memoryFor("held0", [held]), memoryFor("held1", [held]), memoryFor("other0", [others]), memoryFor("other1", [others, scores])];
    case "keys":
      return [memoryFor("held0", [held]), memoryFor("held1", [held]), memoryFor("other0", [others]), memoryFor("other1", [others]), memoryFor("scores", [scores])];
  }
}

export const tileBytes = (pass: "forward" | "queries" | "keys", variant: Pick<TiledVariant, "headDim" | "tile">): number => memoriesOf(pass, variant).reduce((total, { outer, inner }) => total + 16 * outer * inner, 0);

/** The text of what all tiled passes share: products of tiles in workgroup memory, in registers of 4 × 4 to 8 × 8 scores a lane. */
export function tilesText(pass: "forward" | "queries" | "keys", variant: TiledVariant) {
  const { headDim, tile, rotary } = variant;
  const { rows, columns } = tile;
  const [lanesX, lanesY] = tile.lanes;
  const lanes = lanesX * lanesY;
  const chunks = headDim / 4;
  const perLane = Math.ceil(chunks / lanesX);
  const [r$, c$, e$] = [range(rows), range(columns), range(perLane)];
  const layout = layoutOf(chunks);
  const scoreLayout = layoutOf(lanesX);
  const sizes = sizesOf(variant);
  const memories = memoriesOf(pass, variant);
  const slabs = (name: string, kind: keyof typeof sizes): Slabs => slabsIn(name, memories.find((memory) => memory.name === name)!.outer, sizes[kind].size);
  const whole = chunks % lanesX === 0;
  const chunkAt = (e: number) => (e === 0 ? "laneX" : `(laneX + ${e * lanesX}u)`);
  /** As often as there are chunks, times `by` and over `over`. */
  const turns = (by: number, over = 1) => (tile.fixed ? `${(chunks * by) / over}u` : `p.held * ${by}u${over === 1 ? "" : ` / ${over}u`}`);
  const safeChunk = (e: number) => (whole ? chunkAt(e) : `min(${chunkAt(e)}, ${chunks - 1}u)`);
  const loadChunk = ({ buffer, positionOf }: Rows, row: string, i: string, chunk: string) => (positionOf ? `turned_${buffer}(${row}, ${positionOf(i)}, ${chunk})` : `${buffer}[${row} / 4u + ${chunk}]`);

  return {
    r$,
    c$,
    e$,
    heldRows: rows * lanesY,
    otherRows: columns * lanesX,
    lanes,
    held: (index: 0 | 1) => slabs(`held${index}`, "held"),
    other: (index: 0 | 1) => slabs(`other${index}`, "others"),
    /** Scores in memory of this name. */
    scores: (name: string) => slabs(name, "scores"),
    module: memories.map(({ name, outer, inner }) => `var<workgroup> ${name}: array<array<vec4f, ${inner}>, ${outer}>;`).join("\n"),
    /** Statements: this workgroup's `tile` and `part`, the lane's `laneX` and `laneY`. Causal queries of the last tiles have most to do: they come first. */
    setup: `
  let id = workgroup.y * numWorkgroups.x + workgroup.x;
  let tile = ${pass === "keys" ? "id % p.tiles" : "p.tiles - 1u - id % p.tiles"};
  let part = id / p.tiles;
  if (part >= p.parts) { return; }
  let laneX = localIndex % ${lanesX}u;
  let laneY = localIndex / ${lanesX}u;`,
    rowAt: (r: number) => `tile * ${rows * lanesY}u + laneY + ${r * lanesY}u`,
    /** Statements: the tile of rows of `tensor` from `first` on, the last of `count` again and again past the end. */
    fill(into: Slabs, kind: "held" | "other", tensor: Rows, first: string, count: string): string {
      const side = kind === "held" ? lanesY : lanesX;
      const total = side * (kind === "held" ? rows : columns) * chunks;
      const flying = range(Math.min(IN_FLIGHT, Math.ceil(total / lanes)));
      const load = (k: number) => `let n${k} = n + ${k * lanes}u; let row${k} = n${k} / ${chunks}u; let chunk${k} = n${k} % ${chunks}u; let i${k} = min(u32(${first}) + row${k}, ${count} - 1u); let at${k} = ${tensor.rowOf(`i${k}`)};
      let value${k} = ${loadChunk(tensor, `at${k}`, `i${k}`, `chunk${k}`)};`;
      const store = (k: number) => {
        const statement = `${into.atDynamic(`(row${k} / ${side}u)`, layout.at(`(row${k} % ${side}u)`, `chunk${k}`))} = value${k};`;
        return total % (flying.length * lanes) === 0 ? statement : `if (n${k} < ${total}u) { ${statement} }`;
      };
      return `for (var n = localIndex; n < ${turns(total / chunks)}; n += ${flying.length * lanes}u) {
      ${flying.map(load).join("\n      ")}
      ${flying.map(store).join("\n      ")}
    }`;
    },
    /** Statements: `${sum}${r}_${c}`, products of held and other rows. */
    dots: (products: readonly { sum: string; held: Slabs; other: Slabs }[]): string => products.map(({ sum, held, other }) => `
    ${r$.map((r) => c$.map((c) => `var ${sum}${r}_${c} = 0.0;`).join(" ")).join("\n    ")}
    for (var d = 0u; d < ${turns(1)}; d++) {
      let atHeld = ${layout.at("laneY", "d")};
      let atOther = ${layout.at("laneX", "d")};
      ${c$.map((c) => `let b${c} = ${other.at(c, "atOther")};`).join("\n      ")}
      ${r$.map((r) => `let a${r} = ${held.at(r, "atHeld")};`).join("\n      ")}
      ${[..."xyzw"].map((u) => r$.map((r) => c$.map((c) => `${sum}${r}_${c} += a${r}.${u} * b${c}.${u};`).join(" ")).join("\n      ")).join("\n      ")}
    }`).join(""),
    /** Statements: puts `value(r, c)` where `accumulate` finds it. */
    putScores: (into: Slabs, value: (r: number, c: number) => string): string => `let scoreAt = ${scoreLayout.at("laneY", "laneX")};
    ${r$.map((r) => range(columns / 4).map((h) => `${into.at((r * columns) / 4 + h, "scoreAt")} = vec4f(${range(4).map((u) => value(r, 4 * h + u)).join(", ")});`).join(" ")).join("\n    ")}`,
    /** Statements: adds Σ scores · other row to the vec4s `${sum}${r}_${e}`. */
    accumulate: (sum: string, scores: Slabs, other: Slabs): string => `
    for (var t = 0u; t < ${turns(lanesX, chunks)}; t++) {
      let atScore = ${scoreLayout.at("laneY", "t")};
      ${e$.map((e) => `let at${e} = ${layout.at("t", safeChunk(e))};`).join(" ")}
      ${range(columns / 4).map((h) => `{
        ${r$.map((r) => `let w${r} = ${scores.at((r * columns) / 4 + h, "atScore")};`).join(" ")}
        ${range(4).map((u) => `{ ${e$.map((e) => `let v${e} = ${other.at(4 * h + u, `at${e}`)};`).join(" ")}
        ${r$.map((r) => e$.map((e) => `${sum}${r}_${e} += w${r}.${"xyzw"[u]} * v${e};`).join(" ")).join(" ")} }`).join("\n        ")}
      }`).join("\n      ")}
    }`,
    /** Statements: `name` = `value` joined by `join` over the lanes of a row. */
    overRow: (name: string, value: string, join: (a: string, b: string) => string): string => {
      const steps = range(Math.log2(lanesX));
      return `let ${name}0 = ${value}; ${steps.map((step) => `let ${name}${step + 1} = ${join(`${name}${step}`, `subgroupShuffleXor(${name}${step}, ${2 ** step}u)`)};`).join(" ")} let ${name} = ${name}${steps.length};`;
    },
    /** Statements: stores the vec4s `value(r, e)` of held rows. Gradients of rows that were turned are turned back, by way of `through`, whose rows nobody needs any more. */
    store({ buffer, rowOf, positionOf }: Rows, count: string, through: Slabs, value: (r: number, e: number) => string): string {
      if (!positionOf) {
        return r$.map((r) => `if (${this.rowAt(r)} < ${count}) { let at = ${rowOf(this.rowAt(r))} / 4u; ${e$.map((e) => `${whole ? "" : `if (${chunkAt(e)} < ${chunks}u) `}{ ${buffer}[at + ${chunkAt(e)}] = ${value(r, e)}; }`).join(" ")} }`).join("\n  ");
      }
      const side = lanesY;
      return `
  workgroupBarrier();
  ${r$.map((r) => e$.map((e) => `${whole ? "" : `if (${chunkAt(e)} < ${chunks}u) `}{ ${through.at(r, layout.at("laneY", chunkAt(e)))} = ${value(r, e)}; }`).join(" ")).join("\n  ")}
  workgroupBarrier();
  for (var n = localIndex; n < ${turns(rows * lanesY)}; n += ${lanes}u) {
    let row = n / ${chunks}u;
    let chunk = n % ${chunks}u;
    let i = tile * ${rows * lanesY}u + row;
    if (i < ${count}) {
      let at = ${rowOf("i")};
      var value = ${through.atDynamic(`(row / ${side}u)`, layout.at(`(row % ${side}u)`, "chunk"))};
      ${turnChunk(rotary!, { value: "value", position: positionOf("i"), chunk: "chunk", partner: (chunk) => through.atDynamic(`(row / ${side}u)`, layout.at(`(row % ${side}u)`, `min(${chunk}, ${chunks - 1}u)`)), inverse: true, whole: rotary!.dims === headDim })}
      ${buffer}[at / 4u + chunk] = value;
    }
  }`;
    },
    /** Where rows lie, and how they are turned. */
    rowsOf: (prefix: "" | "d" = "") => {
      const bound = bindingsOf(variant.joined, prefix);
      return {
        q: { buffer: bound.q, rowOf: rowOfQ, positionOf: positionOfQ(variant) },
        k: { buffer: bound.k, rowOf: rowOfK, positionOf: positionOfK(variant) },
        v: { buffer: bound.v, rowOf: rowOfV },
        ofY: (buffer: string): Rows => ({ buffer, rowOf: (i) => rowOfY(i, headDim) }),
      };
    },
  };
}

/** What all tiled kernels declare. */
export const tiledDeclarations = (variant: TiledVariant) => {
  const bound = bindingsOf(variant.joined);
  const turned = [
    { buffer: bound.q, rowOf: rowOfQ, positionOf: positionOfQ(variant) },
    { buffer: bound.k, rowOf: rowOfK, positionOf: positionOfK(variant) },
  ];
  return { reads: readsOf({ ...variant, width: 4 }), module: `${randomModule(variant)}${turningModule({ ...variant, width: 4 }, turned)}`, type: typeOf(4) };
};

export function tiledLabel({ tile: { lanes: [x, y], rows, columns, fixed }, headDim, joined, rotary, ...options }: TiledVariant): string {
  const extras = (["info", "bias", "softCap", "dropout"] as const).filter((name) => options[name]).map((name) => `+${name}`);
  return `tiled/${y}x${x}x${rows}x${columns}${fixed ? "f" : ""}/${headDim}${joined === "none" ? "" : `/${joined}`}${extras.join("")}${rotaryLabel({ rotary })}/f32`;
}
