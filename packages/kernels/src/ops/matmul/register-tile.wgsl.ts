import { defineKernel, type Kernel } from "../../program/kernel.ts";

/** Facts of a problem that change a kernel's text; sizes come through its uniform. */
export interface MatmulVariant {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  /** Elements a load or store moves: 4 where the extent along which an operand lies is a multiple of 4. */
  readonly widthA: 1 | 4;
  readonly widthB: 1 | 4;
  readonly widthY: 1 | 4;
  /** True: k is no multiple of 4. */
  readonly raggedK: boolean;
}

export interface RegisterTile {
  /** Rows that a lane keeps. */
  readonly rows: number;
  /** Columns that a lane keeps, a multiple of 4. */
  readonly columns: number;
  /** Lanes of a workgroup along the columns and along the rows. */
  readonly lanes: readonly [number, number];
  /**
   * How lanes come by the elements of A, which all lanes of a row need. `quad`: each of four neighbours loads one k of
   * four and `quadBroadcast` hands it round (needs the feature "subgroups"; fastest on CPUs). `none`: each loads all.
   */
  readonly share: "quad" | "none";
}

export const MATMUL_PARAMS = {
  m: "u32",
  n: "u32",
  k: "u32",
  /** The part of k that one workgroup sums; k itself unless the sum is split. */
  chunk: "u32",
  tilesM: "u32",
  tilesN: "u32",
  batches: "u32",
  /** batches times the splits of k. */
  parts: "u32",
  /** Elements from one matrix to the next; 0 where one serves all. */
  strideA: "u32",
  strideB: "u32",
} as const;

/** Statements that tell a workgroup its tile: `tileM`, `tileN`, `part` (which split of which batch), `kBegin`, `kEnd`, and where A and B begin. */
export const TILE_OF_WORKGROUP = `
  let id = workgroup.y * numWorkgroups.x + workgroup.x;
  let tileN = id % p.tilesN;
  let tileM = (id / p.tilesN) % p.tilesM;
  let part = id / (p.tilesN * p.tilesM);
  let split = part / p.batches;
  let startA = (part % p.batches) * p.strideA;
  let startB = (part % p.batches) * p.strideB;
  let kBegin = split * p.chunk;
  let kEnd = min(kBegin + p.chunk, p.k);
  if (part >= p.parts) { return; }`;

const range = (count: number) => Array.from({ length: count }, (_, i) => i);
const type = (width: 1 | 4) => (width === 4 ? "vec4f" : "f32");
const component = (i: number) => "xyzw"[i]!;

/**
 * y = a · b + bias with one tile of y in each lane's registers and no workgroup memory. Any readable buffer may be bound as
 * the bias where `biased` is 0: a text less to compile. A CPU driver compiles this for a second, so activations, which
 * would come unrolled for every row, are a pass of their own.
 */
export function registerTileKernel(variant: MatmulVariant, tile: RegisterTile): Kernel {
  const { rows, columns, lanes, share } = tile;
  const [lanesX, lanesY] = lanes;
  const quads = columns / 4;
  const quad = share === "quad";

  // Four steps of k; `last` makes those past kEnd add nothing.
  const step = (last: boolean) => {
    const a = loadsOfA(variant, tile, last);
    const b = loadsOfB(variant, quads, last);
    const lines = [...a.lines, ...b.lines];
    for (const u of range(4)) {
      lines.push(...b.at(u));
      for (const i of range(rows)) {
        lines.push(`{ let a = vec4f(${a.at(i, u)}); ${range(quads).map((j) => `c${i}_${j} = fma(a, b${u}_${j}, c${i}_${j});`).join(" ")} }`);
      }
    }
    return lines.map((line) => `    ${line}`).join("\n");
  };

  // Rows and columns past an edge repeat the last ones inside, in loads and in stores: no branch, and within one lane no race.
  const rowOf = (i: number) => (variant.transposeA && variant.widthA === 4 ? `(min(row / 4u + ${i >> 2}u, p.m / 4u - 1u) * 4u + ${i & 3}u)` : `min(row + ${i}u, p.m - 1u)`);
  const stores = range(rows).flatMap((i) => [
    `let y${i} = (part * p.m + ${rowOf(i)}) * p.n;`,
    ...range(quads).flatMap((j) =>
      variant.widthY === 4
        ? [`y[y${i} / 4u + min(column / 4u + ${j}u, p.n / 4u - 1u)] = c${i}_${j};`]
        : range(4).map((c) => `y[y${i} + min(column + ${4 * j + c}u, p.n - 1u)] = c${i}_${j}.${component(c)};`),
    ),
  ]);
  const biasOf = (j: number) => {
    const bias = variant.widthY === 4 ? `bias[min(column / 4u + ${j}u, p.n / 4u - 1u)]` : `vec4f(${range(4).map((c) => `bias[min(column + ${4 * j + c}u, p.n - 1u)]`).join(", ")})`;
    return `select(vec4f(0), ${bias}, p.biased != 0u)`;
  };

  return defineKernel({
    label: `matmul/${quad ? "quad" : "direct"}/${rows * lanesY}x${columns * lanesX}/${variantLabel(variant)}/f32`,
    enable: quad ? ["subgroups"] : [],
    reads: { a: `array<${type(variant.widthA)}>`, b: `array<${type(variant.widthB)}>`, bias: `array<${type(variant.widthY)}>` },
    writes: { y: `array<${type(variant.widthY)}>` },
    params: { ...MATMUL_PARAMS, biased: "u32" },
    workgroupSize: [lanesX, lanesY],
    ...(quad && { builtins: "@builtin(subgroup_invocation_id) lane: u32" }),
    body: `${TILE_OF_WORKGROUP}
  let row = ${lanesY === 1 ? `tileM * ${rows}u` : `(tileM * ${lanesY}u + local.y) * ${rows}u`};
  let column = (tileN * ${lanesX}u + local.x) * ${columns}u;
${setupOfA(variant, tile)}
${setupOfB(variant, quads)}
  ${range(quads).map((j) => `let start${j} = ${biasOf(j)};`).join("\n  ")}
  ${range(rows).map((i) => range(quads).map((j) => `var c${i}_${j} = start${j};`).join(" ")).join("\n  ")}
  ${variant.raggedK ? "let kWhole = kBegin + (kEnd - kBegin) / 4u * 4u;" : "let kWhole = kEnd;"}
  for (var k = kBegin; k < kWhole; k += 4u) {
${step(false)}
  }
${variant.raggedK ? `  if (kWhole < kEnd) {\n    let k = kWhole;\n${step(true)}\n  }` : ""}
  if (column >= p.n) { return; }
  ${stores.join("\n  ")}`,
  });
}

export function variantLabel({ transposeA, transposeB, widthA, widthB, widthY, raggedK }: MatmulVariant): string {
  return `${transposeA ? "t" : "n"}${transposeB ? "t" : "n"}-${widthA}${widthB}${widthY}${raggedK ? "-ragged" : ""}`;
}

/** Offsets of A's rows (or vec4s of rows) that do not change with k. */
function setupOfA({ transposeA, widthA }: MatmulVariant, { rows, share }: RegisterTile): string {
  const lines = share === "quad" ? ["let own = lane % 4u;"] : [];
  if (!transposeA) {
    for (const i of range(rows)) lines.push(`let a${i}Start = startA + min(row + ${i}u, p.m - 1u) * p.k;`);
  } else if (widthA === 4) {
    for (const q of range(rows / 4)) lines.push(`let a${q}Start = startA / 4u + min(row / 4u + ${q}u, p.m / 4u - 1u);`);
  } else {
    for (const i of range(rows)) lines.push(`let a${i}Start = startA + min(row + ${i}u, p.m - 1u);`);
  }
  return lines.map((line) => `  ${line}`).join("\n");
}

function setupOfB({ transposeB, widthB, widthY }: MatmulVariant, quads: number): string {
  const lines: string[] = [];
  if (transposeB) {
    const columnOf = (c: number) => (widthY === 4 ? `(min(column / 4u + ${c >> 2}u, p.n / 4u - 1u) * 4u + ${c & 3}u)` : `min(column + ${c}u, p.n - 1u)`);
    for (const c of range(4 * quads)) lines.push(`let b${c}Start = startB + ${columnOf(c)} * p.k;`);
  } else if (widthB === 4) {
    for (const j of range(quads)) lines.push(`let b${j}Start = startB / 4u + min(column / 4u + ${j}u, p.n / 4u - 1u);`);
  } else {
    for (const c of range(4 * quads)) lines.push(`let b${c}Start = startB + min(column + ${c}u, p.n - 1u);`);
  }
  return lines.map((line) => `  ${line}`).join("\n");
}

interface Loads {
  readonly lines: string[];
}

/** Loads of A for four steps of k, and the expression of row i at step u. */
function loadsOfA({ transposeA, widthA }: MatmulVariant, { rows, share }: RegisterTile, last: boolean): Loads & { at(i: number, u: number): string } {
  const lines: string[] = [];
  const steps = share === "quad" ? ["own"] : ["0u", "1u", "2u", "3u"];
  // Past the end: any element inside, times zero.
  const masked = (element: string, at: string, zero: string) => (last ? `select(${zero}, ${element}, ${at} < kEnd)` : element);
  const along = (offset: string) => (last ? `min(k + ${offset}, p.k - 1u)` : `(k + ${offset})`);
  if (!transposeA && share === "none" && widthA === 4) {
    for (const i of range(rows)) lines.push(`let a${i} = a[(a${i}Start + k) / 4u];`);
    return { lines, at: (i, u) => `a${i}.${component(u)}` };
  }
  const wide = transposeA && widthA === 4;
  steps.forEach((offset, s) => {
    for (const i of range(wide ? rows / 4 : rows)) {
      const index = transposeA ? `a${i}Start + ${along(offset)} * ${wide ? "(p.m / 4u)" : "p.m"}` : `a${i}Start + ${along(offset)}`;
      lines.push(`let a${i}_${s} = ${masked(`a[${index}]`, `k + ${offset}`, wide ? "vec4f(0)" : "0.0")};`);
    }
  });
  return {
    lines,
    at(i, u) {
      const name = (s: number) => (wide ? `a${i >> 2}_${s}.${component(i & 3)}` : `a${i}_${s}`);
      return share === "quad" ? `quadBroadcast(${name(0)}, ${u}u)` : name(u);
    },
  };
}

/** Loads of B for four steps of k; `at(u)` declares the vec4s b{u}_{j} of step u. */
function loadsOfB({ transposeB, widthB }: MatmulVariant, quads: number, last: boolean): Loads & { at(u: number): string[] } {
  const lines: string[] = [];
  const along = (u: number) => (last ? `min(k + ${u}u, p.k - 1u)` : `(k + ${u}u)`);
  if (transposeB && widthB === 4) {
    for (const c of range(4 * quads)) lines.push(`let t${c} = b[(b${c}Start + k) / 4u];`);
    return { lines, at: (u) => range(quads).map((j) => `let b${u}_${j} = vec4f(${range(4).map((c) => `t${4 * j + c}.${component(u)}`).join(", ")});`) };
  }
  return {
    lines,
    at(u) {
      const element = (c: number) => (transposeB ? `b[b${c}Start + ${along(u)}]` : `b[b${c}Start + ${along(u)} * p.n]`);
      if (!transposeB && widthB === 4) return range(quads).map((j) => `let b${u}_${j} = b[b${j}Start + ${along(u)} * (p.n / 4u)];`);
      return range(quads).map((j) => `let b${u}_${j} = vec4f(${range(4).map((c) => element(4 * j + c)).join(", ")});`);
    },
  };
}
