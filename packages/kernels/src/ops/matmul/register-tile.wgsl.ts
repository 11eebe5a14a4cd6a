import { defineKernel, type Kernel } from "../../program/kernel.ts";
import { activationNumber, anyActivation, type Epilogue } from "./epilogue.wgsl.ts";
import { octetSum } from "./octet-sum.wgsl.ts";
import { MATMUL_PARAMS, range, TILE_OF_WORKGROUP } from "./tile.wgsl.ts";
import { weightsWgsl, type WeightFormat, type WeightsWgsl } from "./weights.wgsl.ts";

/** How four elements of B are loaded: `rows`: B [K, N] with N a multiple of 4; `columns`: B stored [N, K] with K a multiple of 4; `any`: one by one, by strides. */
export type LayoutOfB = "rows" | "columns" | "any";

export interface RegisterTile {
  /** Rows that a lane keeps. */
  readonly rows: number;
  /** Columns that a lane keeps, a multiple of 4. */
  readonly columns: number;
  /** Lanes of a workgroup along the columns and along the rows. */
  readonly lanes: readonly [number, number];
  /**
   * How lanes come by the elements of A, which all lanes of a row need. `quad`: each of four neighbours loads one k of
   * four and `quadBroadcast` hands it round (needs the feature "subgroups"; fastest on CPUs). `octet`: two such quads load
   * different ks, and exchange them half-way (subgroups of at least eight lanes, f32 alone). `none`: each loads all.
   */
  readonly share: "octet" | "quad" | "none";
}

/** Facts of a problem that change a kernel's text; sizes come through its uniform. */
export interface RegisterVariant {
  readonly layout: LayoutOfB;
  /** True: N is a multiple of 4, as it is where B lies in `rows`. */
  readonly wide: boolean;
}

const component = (i: number) => "xyzw"[i]!;

/** What register tiles read beside the sizes. Flags where they cost little: a CPU driver compiles each text for seconds. */
const PARAMS = { ...MATMUL_PARAMS, rowA: "u32", stepA: "u32", columnB: "u32", stepB: "u32", rowY: "u32", biased: "u32", activations: "u32", activation: "u32", extra: "u32", gate: "u32" } as const;

/** Values of `p.extra`. */
const EXTRA = { residual: 1, gate: 2 } as const;

/** What the uniform says of an epilogue. */
export function epilogueFlags({ bias, activation, extra }: Epilogue): Record<"biased" | "activations" | "activation" | "extra" | "gate", number> {
  const gate = extra?.kind === "gate" ? extra.activation : null;
  return {
    biased: bias ? 1 : 0,
    activations: gate !== null ? 2 : activation === "identity" ? 0 : 1,
    activation: activationNumber(activation),
    extra: extra ? EXTRA[extra.kind] : 0,
    gate: activationNumber(gate ?? "identity"),
  };
}

/**
 * y = a · b with one tile of y in each lane's registers and no workgroup memory. A, whichever way it lies, is read by
 * strides, one element at a time: on CPU drivers every element is a load of its own, vec4 or not. Bias and `extra` are
 * bound always (any readable buffer will do) and read where the flags say so. What happens to the sums, and the store, is a
 * rolled loop over an array: written out for each vec4 of the tile it was half of the time that lavapipe took to compile.
 */
export function registerTileKernel({ layout, wide }: RegisterVariant, tile: RegisterTile, format: WeightFormat): Kernel {
  const { rows, columns, lanes, share } = tile;
  const [lanesX, lanesY] = lanes;
  const quads = columns / 4;
  const type = wide ? "vec4f" : "f32";
  const { reads, module, setup, loop } = share === "octet" ? octetSum(layout, tile) : sum(layout, tile, format);
  const sums = range(rows).flatMap((i) => range(quads).map((j) => `c${i}_${j}`));
  const read = (buffer: string, at: string) => (wide ? `${buffer}[(${at}) / 4u]` : `vec4f(${range(4).map((c) => `${buffer}[${at} + min(${c}u, rest)]`).join(", ")})`);
  const store = wide ? "y[at / 4u] = value;" : range(4).map((c) => `if (${c}u <= rest) { y[at + ${c}u] = value.${component(c)}; }`).join(" ");

  return defineKernel({
    label: `matmul/${share === "none" ? "direct" : share}/${rows * lanesY}x${columns * lanesX}/${layout}${wide ? "" : "-narrow"}/${format}`,
    enable: share === "none" ? [] : ["subgroups"],
    reads: { a: "array<f32>", ...reads, bias: `array<${type}>`, extra: `array<${type}>` },
    writes: { y: `array<${type}>` },
    params: PARAMS,
    module: `${module}\n${anyActivation}`,
    workgroupSize: [lanesX, lanesY],
    ...(share !== "none" && { builtins: "@builtin(subgroup_invocation_id) lane: u32" }),
    body: `${TILE_OF_WORKGROUP}
  let row = ${lanesY === 1 ? `tileM * ${rows}u` : `(tileM * ${lanesY}u + local.y) * ${rows}u`};
  let column = (tileN * ${lanesX}u + local.x) * ${columns}u;
  let last = max(kEnd, 1u) - 1u;
  // Rows and columns past an edge repeat the last ones inside: no branch.
${indent([...setup, ...range(rows).map((i) => range(quads).map((j) => `var c${i}_${j} = vec4f(0);`).join(" ")), ...loop], 2)}
  var sums = array<vec4f, ${sums.length}>(${sums.join(", ")});
  // Its end is not a constant, so that no driver unrolls it.
  for (var i = 0u; i < min(${rows}u, p.m - min(row, p.m)) * ${quads}u; i++) {
    let r = row + i / ${quads}u;
    let x = column + i % ${quads}u * 4u;
    if (x >= p.n) { continue; }
    let at = startY + r * p.rowY + x;${wide ? "" : " let rest = p.n - 1u - x;"}
    var value = sums[i];
    if (p.biased != 0u) { value += ${read("bias", "startBias + x")}; }
    var other = vec4f(0);
    if (p.extra != 0u) { other = ${read("extra", "at")}; }
    // The activation of the sum, then that of the gate: one text for both.
    for (var turn = 0u; turn < p.activations; turn++) {
      let ofGate = turn == 1u;
      let result = activated(select(value, other, ofGate), select(p.activation, p.gate, ofGate));
      value = select(result, value, ofGate);
      other = select(other, result, ofGate);
    }
    value = select(value + other, value * other, p.extra == ${EXTRA.gate}u);
    ${store}
  }`,
  });
}

const indent = (lines: readonly string[], spaces: number) => lines.map((line) => `${" ".repeat(spaces)}${line}`).join("\n");

/** The sums c{i}_{j} of one tile, as statements. */
export interface TileSum {
  /** What B is bound as, and functions that its loads call. */
  readonly reads: Record<string, string>;
  readonly module: string;
  /** Statements before the loop over k. */
  readonly setup: readonly string[];
  readonly loop: readonly string[];
}

/** Four steps of k at a time. Past the end of k both operands are 0; `columns` has no such end. */
function sum(layout: LayoutOfB, tile: RegisterTile, format: WeightFormat): TileSum {
  const quads = tile.columns / 4;
  const weights = weightsWgsl(format, layout === "any" ? 1 : 4);
  const a = loadsOfA(tile, layout !== "columns");
  const b = loadsOfB(layout, quads, weights);
  const steps = range(4).flatMap((u) => [
    ...b.at(u),
    ...range(tile.rows).map((i) => `{ let a = vec4f(${a.at(i, u)}); ${range(quads).map((j) => `c${i}_${j} = fma(a, b${u}_${j}, c${i}_${j});`).join(" ")} }`),
  ]);
  return {
    reads: weights.reads,
    module: weights.module,
    setup: [...a.setup, ...b.setup],
    loop: ["for (var k = kBegin; k < kEnd; k += 4u) {", ...[...a.lines, ...b.lines, ...steps].map((line) => `  ${line}`), "}"],
  };
}

interface Loads {
  /** Statements before the loop over k. */
  readonly setup: readonly string[];
  /** Statements at the start of each four steps. */
  readonly lines: readonly string[];
}

/** `at(i, u)`: the expression of row i at step u. */
function loadsOfA({ rows, share }: RegisterTile, ragged: boolean): Loads & { at(i: number, u: number): string } {
  const quad = share === "quad";
  const steps = quad ? ["lane % 4u"] : ["0u", "1u", "2u", "3u"];
  const lines = steps.flatMap((offset, s) => [
    `let k${s} = k + ${offset};`,
    `let step${s} = ${ragged ? `min(k${s}, last)` : `k${s}`} * p.stepA;`,
    ...range(rows).map((i) => {
      const element = `a[a${i}Start + step${s}]`;
      return `let a${i}_${s} = ${ragged ? `select(0.0, ${element}, k${s} < kEnd)` : element};`;
    }),
  ]);
  return {
    setup: range(rows).map((i) => `let a${i}Start = startA + min(row + ${i}u, p.m - 1u) * p.rowA;`),
    lines,
    at: (i, u) => (quad ? `quadBroadcast(a${i}_0, ${u}u)` : `a${i}_${u}`),
  };
}

/** `at(u)`: statements that declare the vec4s b{u}_{j} of step u. */
function loadsOfB(layout: LayoutOfB, quads: number, { one, four, blocks }: WeightsWgsl): Loads & { at(u: number): string[] } {
  const columns = range(4 * quads);
  if (layout === "columns") {
    return {
      setup: columns.map((c) => `let b${c}Start = (startB + min(column + ${c}u, p.n - 1u) * p.k) / 4u;${blocks ? ` var scale${c}: ${blocks.scaleType};` : ""}`),
      lines: [
        ...(blocks ? [`if (k % ${blocks.size}u == 0u) { ${columns.map((c) => `scale${c} = ${blocks.scale(`b${c}Start + k / 4u`)};`).join(" ")} }`] : []),
        ...columns.map((c) => `let t${c} = ${blocks ? blocks.four(`b${c}Start + k / 4u`, `scale${c}`) : four(`b${c}Start + k / 4u`)};`),
      ],
      at: (u) => range(quads).map((j) => `let b${u}_${j} = vec4f(${range(4).map((c) => `t${4 * j + c}.${component(u)}`).join(", ")});`),
    };
  }
  const masked = (u: number, value: string) => `select(vec4f(0), ${value}, k + ${u}u < kEnd)`;
  if (layout === "rows") {
    return {
      setup: range(quads).map((j) => `let b${j}Start = startB / 4u + min(column / 4u + ${j}u, p.n / 4u - 1u);`),
      lines: [],
      at: (u) => [`let row${u} = min(k + ${u}u, last) * (p.n / 4u);`, ...range(quads).map((j) => `let b${u}_${j} = ${masked(u, four(`b${j}Start + row${u}`))};`)],
    };
  }
  return {
    setup: columns.map((c) => `let b${c}Start = startB + min(column + ${c}u, p.n - 1u) * p.columnB;`),
    lines: [],
    at: (u) => [
      `let row${u} = min(k + ${u}u, last) * p.stepB;`,
      ...range(quads).map((j) => `let b${u}_${j} = ${masked(u, `vec4f(${range(4).map((c) => one(`b${4 * j + c}Start + row${u}`)).join(", ")})`)};`),
    ],
  };
}
