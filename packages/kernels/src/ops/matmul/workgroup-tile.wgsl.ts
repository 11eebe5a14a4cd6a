import { defineKernel, type Kernel } from "../../program/kernel.ts";
import { epilogueWgsl, type Epilogue } from "./epilogue.wgsl.ts";
import { MATMUL_PARAMS, TILE_OF_WORKGROUP } from "./tile.wgsl.ts";
import { weightsWgsl, type WeightFormat } from "./weights.wgsl.ts";

/** Facts of a problem that change the kernel's text; sizes come through its uniform. */
export interface WorkgroupVariant {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  /** Elements a load or store moves: 4 where the extent along which an operand lies is a multiple of 4. */
  readonly widthA: 1 | 4;
  readonly widthB: 1 | 4;
  readonly widthY: 1 | 4;
}

export interface WorkgroupTile {
  /** Rows and columns of y that a lane keeps, multiples of 4. */
  readonly rows: number;
  readonly columns: number;
  readonly lanes: readonly [number, number];
  /** Steps of k that one stage brings into workgroup memory, a multiple of 4. */
  readonly depth: number;
}

/** Bytes of workgroup memory. */
export function workgroupTileBytes({ rows, columns, lanes: [x, y], depth }: WorkgroupTile): number {
  return 4 * depth * (rows * y + columns * x);
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i);
const type = (width: 1 | 4) => (width === 4 ? "vec4f" : "f32");

const layoutLabel = ({ transposeA, transposeB, widthA, widthB, widthY }: WorkgroupVariant) => `${transposeA ? "t" : "n"}${transposeB ? "t" : "n"}-${widthA}${widthB}${widthY}`;

/** y = a · b through workgroup memory, for real GPUs: a stage of A and B is loaded together, zeros past the edges, then each lane multiplies its tile. */
export function workgroupTileKernel(variant: WorkgroupVariant, tile: WorkgroupTile, end: Epilogue, format: WeightFormat): Kernel {
  const { rows, columns, lanes, depth } = tile;
  const [lanesX, lanesY] = lanes;
  const [quadsM, quadsN] = [rows / 4, columns / 4];
  const [tileRows, tileColumns] = [rows * lanesY, columns * lanesX];
  const epilogue = epilogueWgsl(end, variant.widthY);
  const lanesCount = lanesX * lanesY;
  const weights = weightsWgsl(format, variant.widthB);
  const four = (operand: "a" | "b", quad: string) => (operand === "a" ? `a[${quad}]` : weights.four(quad));
  const one = (operand: "a" | "b", element: string) => (operand === "a" ? `a[${element}]` : weights.one(element));

  // Both stages lie [depth][extent], so that the inner loop reads vec4s along rows and columns. A lane writes whole vec4s:
  // writing one component of a vec4 touches all four in WGSL's memory model.
  const stage = (operand: "a" | "b", alongK: boolean, width: 1 | 4, extent: number, size: "p.m" | "p.n", begin: string) => {
    const blocks = alongK && width === 4;
    const quads = extent / 4;
    const start = operand === "a" ? "startA" : "startB";
    const target = (u: number) => `${operand}Stage[(kk + ${u}u) * ${quads}u + xx]`;
    const lines: string[] = [];
    if (blocks) {
      for (const c of range(4)) lines.push(`var v${c} = vec4f(0);`, `if (x + ${c}u < ${size} && k < kEnd) { v${c} = ${four(operand, `(${start} + (x + ${c}u) * p.k + k) / 4u`)}; }`);
      for (const u of range(4)) lines.push(`${target(u)} = vec4f(${range(4).map((c) => `v${c}.${"xyzw"[u]}`).join(", ")});`);
    } else if (width === 4) {
      lines.push("var value = vec4f(0);", `if (x < ${size} && k < kEnd) { value = ${four(operand, `(${start} + k * ${size} + x) / 4u`)}; }`, `${target(0)} = value;`);
    } else {
      lines.push("var value = vec4f(0);");
      for (const c of range(4)) lines.push(`if (x + ${c}u < ${size} && k < kEnd) { value.${"xyzw"[c]} = ${one(operand, `${start} + ${alongK ? `(x + ${c}u) * p.k + k` : `k * ${size} + x + ${c}u`}`)}; }`);
      lines.push(`${target(0)} = value;`);
    }
    return `
    for (var i = localIndex; i < ${quads * (blocks ? depth / 4 : depth)}u; i += ${lanesCount}u) {
      let xx = ${alongK && !blocks ? `i / ${depth}u` : `i % ${quads}u`};
      let kk = ${alongK && !blocks ? `i % ${depth}u` : `i / ${quads}u${blocks ? " * 4u" : ""}`};
      let k = k0 + kk;
      let x = ${begin} + xx * 4u;
      ${lines.join("\n      ")}
    }`;
  };

  const inner = [
    ...range(quadsM).map((q) => `let a${q} = aStage[step * ${tileRows / 4}u + ${q * lanesY}u + local.y];`),
    ...range(quadsN).map((j) => `let b${j} = bStage[step * ${tileColumns / 4}u + ${j * lanesX}u + local.x];`),
    ...range(rows).map((i) => range(quadsN).map((j) => `c${i}_${j} = fma(vec4f(a${i >> 2}.${"xyzw"[i & 3]}), b${j}, c${i}_${j});`).join(" ")),
  ];
  const stores = range(rows).map((i) => {
    const store = range(quadsN).map((j) => {
      const column = `column + ${4 * j * lanesX}u`;
      if (variant.widthY === 4) return `if (${column} < p.n) { ${epilogue.store(`(at + ${column}) / 4u`, `(startBias + ${column}) / 4u`, `c${i}_${j}`)} }`;
      return range(4).map((c) => `if (${column} + ${c}u < p.n) { ${epilogue.store(`at + ${column} + ${c}u`, `startBias + ${column} + ${c}u`, `c${i}_${j}.${"xyzw"[c]}`)} }`).join("\n    ");
    });
    const row = `row + ${4 * (i >> 2) * lanesY + (i & 3)}u`;
    return `  if (${row} < p.m) {\n    let at = startY + (${row}) * p.n;\n    ${store.join("\n    ")}\n  }`;
  });

  return defineKernel({
    label: `matmul/workgroup/${tileRows}x${tileColumns}x${depth}/${layoutLabel(variant)}${epilogue.label}/${format}`,
    reads: { a: `array<${type(variant.widthA)}>`, ...weights.reads, ...epilogue.reads },
    writes: epilogue.writes,
    params: MATMUL_PARAMS,
    module: `${weights.module}
${epilogue.module}
var<workgroup> aStage: array<vec4f, ${(tileRows * depth) / 4}>;
var<workgroup> bStage: array<vec4f, ${(tileColumns * depth) / 4}>;`,
    workgroupSize: [lanesX, lanesY],
    body: `${TILE_OF_WORKGROUP}
  let row = tileM * ${tileRows}u + local.y * 4u;
  let column = tileN * ${tileColumns}u + local.x * 4u;
  ${range(rows).map((i) => range(quadsN).map((j) => `var c${i}_${j} = vec4f(0);`).join(" ")).join("\n  ")}
  for (var k0 = kBegin; k0 < kEnd; k0 += ${depth}u) {
${stage("a", !variant.transposeA, variant.widthA, tileRows, "p.m", `tileM * ${tileRows}u`)}
${stage("b", variant.transposeB, variant.widthB, tileColumns, "p.n", `tileN * ${tileColumns}u`)}
    workgroupBarrier();
    for (var step = 0u; step < ${depth}u; step++) {
      ${inner.join("\n      ")}
    }
    workgroupBarrier();
  }
${stores.join("\n")}`,
  });
}
