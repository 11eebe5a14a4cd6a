import { anglesOf, pairsStayTogether, turnChunk } from "../rotary/rotate.wgsl.ts";
import { range, TILE_ROWS, typeOf, type AttentionVariant } from "./variant.wgsl.ts";

/** A tensor as rows, and the WGSL of where row `i` (a u32 expression) of it begins. */
export interface Rows {
  readonly buffer: string;
  rowOf(i: string): string;
  /** The position of row `i`, by which rotary embedding turns it on its way; absent for rows that it leaves alone. */
  positionOf?: ((i: string) => string) | undefined;
}

/** Rows that lanes hold in registers of this name. */
export interface HeldRows extends Rows {
  readonly name: string;
}

/** Two tensors whose rows all lanes go over; only the first may be turned. */
export interface OtherRows {
  readonly tensors: readonly [Rows, Rows];
  /** WGSL of the number of rows. */
  readonly count: string;
}

/** How a text loads and stores chunks, vec4s of headDim: 0, 1, … of the row that begins at element `row`. */
export function chunksOf({ headDim, width }: Pick<AttentionVariant, "headDim" | "width">) {
  const count = Math.ceil(headDim / 4);
  return {
    count,
    /** Some number of the row past headDim; `end`: all chunks asked for are below it. */
    load: (buffer: string, row: string, chunk: string, end: number): string =>
      width === 4
        ? `${buffer}[${row} / 4u + ${end > count ? `min(${chunk}, ${count - 1}u)` : chunk}]`
        : `vec4f(${range(4).map((c) => `${buffer}[${row} + min(4u * ${chunk} + ${c}u, ${headDim - 1}u)]`).join(", ")})`,
    /** Zeros past headDim. */
    loadExact(buffer: string, row: string, chunk: string, end: number): string {
      const value = this.load(buffer, row, chunk, end);
      if (width === 4) return end > count ? `select(vec4f(0), ${value}, ${chunk} < ${count}u)` : value;
      return `select(vec4f(0), ${value}, vec4u(4u * ${chunk}) + vec4u(0u, 1u, 2u, 3u) < vec4u(${headDim}u))`;
    },
    store: (buffer: string, row: string, chunk: string, value: string, end: number): string =>
      width === 4
        ? `${end > count ? `if (${chunk} < ${count}u) ` : ""}{ ${buffer}[${row} / 4u + ${chunk}] = ${value}; }`
        : range(4).map((c) => `if (4u * ${chunk} + ${c}u < ${headDim}u) { ${buffer}[${row} + 4u * ${chunk} + ${c}u] = (${value}).${"xyzw"[c]}; }`).join(" "),
  };
}

/** A WGSL function for each of `tensors` whose rows are turned: chunk `chunk` of the row that begins at `row`, of position `position`. */
export function turningModule(variant: Pick<AttentionVariant, "headDim" | "width" | "rotary">, tensors: readonly Rows[]): string {
  const { rotary } = variant;
  const access = chunksOf(variant);
  const buffers = new Set(tensors.filter(({ positionOf }) => positionOf).map(({ buffer }) => buffer));
  const load = (buffer: string, chunk: string) => access.load(buffer, "row", chunk, Infinity);
  return [...buffers].map((buffer) => `
fn turned_${buffer}(row: u32, position: u32, chunk: u32) -> vec4f {
    var value = ${load(buffer, "chunk")};
    ${turnChunk(rotary!, { value: "value", position: "position", chunk: "chunk", partner: (chunk) => load(buffer, chunk), inverse: false, whole: rotary!.dims === variant.headDim })}
    return value;
}`).join("");
}

/** WGSL functions that add up over the four lanes of a quad. */
export const QUAD_SUM = "fn sumOfLanes(x: f32) -> f32 { let pair = x + quadSwapX(x); return pair + quadSwapY(pair); }";

/** Workgroup memory that a device has by default is 16 KiB, for two tiles. */
const TILE_VECTORS = 512;

/**
 * The text of what all passes share. A lane holds `rows` rows of a few tensors in registers, as vec4s: row r of a lane is
 * `row${r}` of all, or `held${r}` where that is one. It goes over the rows of two other tensors. A chunk is a vec4 of headDim.
 *
 * Drivers of CPUs pay for every place in the text that loads or stores, in time and in compiling. So rows come and go through a
 * private array in a loop that is too long to unroll, and the other rows are loaded once for all lanes.
 */
export function rowsText(variant: AttentionVariant) {
  const { sharing, split, width, rows, unroll, workgroupSize, rotary } = variant;
  const access = chunksOf(variant);
  const chunks = access.count;
  /** Chunks that a lane holds of each row: own, own + split, … */
  const perLane = Math.ceil(chunks / split);
  const groups = workgroupSize / split;
  const lanes = { shuffle: 8, quad: 4, none: 1, tile: 1 }[sharing];
  const [r$, u$, c$] = [range(rows), range(unroll), range(perLane)];
  /** A power of two, so that a word of flags is of one tile or more. */
  const tileRows = 2 ** Math.floor(Math.log2(Math.min(TILE_ROWS, TILE_VECTORS / chunks)));
  const loadChunk = ({ buffer, positionOf }: Rows, row: string, i: string, chunk: string, end: number) => (positionOf ? `turned_${buffer}(${row}, ${positionOf(i)}, ${chunk})` : access.load(buffer, row, chunk, end));
  const overHeld = (body: string) => `for (var n = 0u; n < p.held; n++) {
    let i = first + (n / ${perLane}u) * ${groups}u;
    let chunk = own + (n % ${perLane}u) * ${split}u;
    ${body}
  }`;
  const chunkOf = (c: number) => (split === 1 ? `${c}u` : `(own + ${c * split}u)`);

  return {
    r$,
    u$,
    /** Numbers of the chunks that a lane holds. */
    c$,
    held: rows * perLane,
    tileRows: groups * rows,
    /** Feature that the text needs. */
    enable: lanes > 1 || split > 1 ? ["subgroups"] : [],
    module: [
      ...(split > 1 ? [QUAD_SUM] : []),
      ...(sharing === "tile" ? [`var<workgroup> tile0: array<vec4f, ${tileRows * chunks}>;`, `var<workgroup> tile1: array<vec4f, ${tileRows * chunks}>;`] : []),
    ].join("\n"),
    /** Statements: this workgroup's `tile` and `part`, `own`: which part of each row this lane holds, `first`: its first row. */
    setup: `
  let id = workgroup.y * numWorkgroups.x + workgroup.x;
  let tile = id % p.tiles;
  let part = id / p.tiles;
  if (part >= p.parts) { return; }
  let own = localIndex % ${split}u;
  let first = tile * ${groups * rows}u + localIndex / ${split}u;`,
    rowAt: (r: number) => `first + ${r * groups}u`,
    sum: (x: string) => (split > 1 ? `sumOfLanes(${x})` : x),
    /** Statements that set `${name}${r}_${c}`, with zeros past headDim. */
    loadHeld: (tensors: readonly HeldRows[], count: string) => `
  ${tensors.map(({ name }) => `var ${name}Held: array<vec4f, ${rows * perLane}>;`).join(" ")}
  ${overHeld(tensors.map((tensor) => {
    const { name, buffer, rowOf, positionOf } = tensor;
    const safe = `min(i, ${count} - 1u)`;
    // Only whole chunks are turned.
    const value = positionOf ? `select(vec4f(0), ${loadChunk(tensor, rowOf(safe), safe, "chunk", Infinity)}, chunk < ${chunks}u)` : access.loadExact(buffer, rowOf(safe), "chunk", perLane * split);
    return `${name}Held[n] = ${value};`;
  }).join("\n    "))}
  ${tensors.map(({ name }) => r$.map((r) => c$.map((c) => `let ${name}${r}_${c} = ${name}Held[${r * perLane + c}];`).join(" ")).join("\n  ")).join("\n  ")}`,
    /** Statements that store what `value` gives for row r and chunk c: gradients of rows that were turned are turned back. */
    storeHeld: (tensors: readonly HeldRows[], count: string, value: (name: string, r: number, c: number) => string) => `
  ${tensors.map(({ name }) => `var ${name}Held: array<vec4f, ${rows * perLane}>;`).join(" ")}
  ${tensors.map(({ name }) => r$.map((r) => c$.map((c) => `${name}Held[${r * perLane + c}] = ${value(name, r, c)};`).join(" ")).join("\n  ")).join("\n  ")}
  ${overHeld(`if (i < ${count}) { ${tensors.map(({ name, buffer, rowOf, positionOf }) => `
      let ${name}At = ${rowOf("i")};
      var ${name}Value = ${name}Held[n];
      ${positionOf ? turnChunk(rotary!, { value: `${name}Value`, position: positionOf("i"), chunk: "chunk", partner: (chunk) => `${name}Held[n + ${chunk} / ${split}u - chunk / ${split}u]`, inverse: true, whole: rotary!.dims === variant.headDim }) : ""}
      ${access.store(buffer, `${name}At`, "chunk", `${name}Value`, perLane * split)}`).join("")}
    }`)}`,
    dot: (name: string, r: number, of: (c: number) => string) => c$.map((c) => `dot(${name}${r}_${c}, ${of(c)})`).join(" + "),
    /**
     * A loop over rows [from, end) of the others. `inTile` begins each tile of rows from `tileBegin`; `body` takes the rows
     * x, x + 1, …; row x + u is one only if `x + u < tileEnd`. It is given how to spell chunk c of either tensor's row x + u.
     */
    overOthers({ tensors, count }: OtherRows, { from, end, inTile = "", body }: { from: string; end: string; inTile?: string; body: (chunk: (index: 0 | 1, u: number, c: number) => string) => string }): string {
      const rowsOfTile = sharing === "tile" ? tileRows : TILE_ROWS;
      const safe = (i: string) => `min(${i}, ${count} - 1u)`;
      const slices = range(Math.ceil(chunks / lanes));
      const element = (s: number) => (lanes === 1 ? `${s}u` : `(localIndex % ${lanes}u + ${s * lanes}u)`);
      const loadRow = (index: 0 | 1, u: number): string => {
        const tensor = tensors[index];
        const [row, i] = [`at${index}_${u}`, safe(`u32(x) + ${u}u`)];
        const name = (s: number) => `other${index}_${u}_${s}`;
        const load = (s: number) => access.load(tensor.buffer, row, element(s), slices.length * lanes);
        const begin = `let ${row} = ${tensor.rowOf(i)};`;
        const position = tensor.positionOf?.(i);
        const turns = (s: number) => position !== undefined && 4 * s * lanes < rotary!.dims;
        if (!position || rotary!.interleaved || !pairsStayTogether(rotary!, lanes)) {
          // Pairs within one slice: a lane gets the other chunk from the lane that loaded it.
          const shuffled = position && sharing === "shuffle" && rotary!.dims <= 4 * lanes;
          const turned = (s: number) => shuffled
            ? `var ${name(s)} = ${load(s)}; ${turnChunk(rotary!, { value: name(s), position, chunk: element(s), partner: (chunk) => `subgroupShuffle(${name(s)}, ${chunk})`, inverse: false, whole: rotary!.dims === variant.headDim })}`
            : `let ${name(s)} = ${loadChunk(tensor, row, i, element(s), slices.length * lanes)};`;
          return `${begin} ${slices.map((s) => (turns(s) ? turned(s) : `let ${name(s)} = ${load(s)};`)).join(" ")}`;
        }
        // Each is loaded once, and their angles too.
        const half = rotary!.dims / 8 / lanes;
        const raw = slices.map((s) => `let raw${u}_${s} = ${load(s)};`);
        const turned = slices.map((s) => {
          if (!turns(s)) return `let ${name(s)} = raw${u}_${s};`;
          if (s >= half) return `let ${name(s)} = raw${u}_${s} * cosine${u}_${s - half} + raw${u}_${s - half} * sine${u}_${s - half};`;
          return `${anglesOf(rotary!, position, element(s), `${u}_${s}`)} let ${name(s)} = raw${u}_${s} * cosine${u}_${s} - raw${u}_${s + half} * sine${u}_${s};`;
        });
        return `${begin} ${[...raw, ...turned].join(" ")}`;
      };
      const loads = sharing === "tile" ? "" : u$.flatMap((u) => [loadRow(0, u), loadRow(1, u)]).join("\n      ");
      const chunk = (index: 0 | 1, u: number, c: number) => {
        const value = `other${index}_${u}_${Math.floor(c / lanes)}`;
        if (sharing === "tile") return `tile${index}[min(u32(x - tileBegin) + ${u}u, ${tileRows - 1}u) * ${chunks}u + ${perLane * split > chunks ? `min(${chunkOf(c)}, ${chunks - 1}u)` : chunkOf(c)}]`;
        return sharing === "none" ? value : `${sharing === "quad" ? "quadBroadcast" : "subgroupShuffle"}(${value}, ${c % lanes}u)`;
      };
      const fill = `
    workgroupBarrier();
    for (var n = localIndex; n < ${tileRows * chunks}u; n += ${workgroupSize}u) {
      let row = ${safe(`u32(tileBegin) + n / ${chunks}u`)};
      ${tensors.map((tensor, index) => `let at${index} = ${tensor.rowOf("row")}; tile${index}[n] = ${loadChunk(tensor, `at${index}`, "row", `(n % ${chunks}u)`, chunks)};`).join("\n      ")}
    }
    workgroupBarrier();`;
      return `
  for (var tileBegin = max(${from}, 0) / ${rowsOfTile} * ${rowsOfTile}; tileBegin < ${end}; tileBegin += ${rowsOfTile}) {${sharing === "tile" ? fill : ""}
    ${inTile}
    let tileEnd = min(${end}, tileBegin + ${rowsOfTile});
    for (var x = max(${from}, tileBegin); x < tileEnd; x += ${unroll}) {
      ${loads}
      ${body(chunk)}
    }
  }`;
    },
    /** The declared type of a buffer of rows. */
    type: typeOf(width),
  };
}
