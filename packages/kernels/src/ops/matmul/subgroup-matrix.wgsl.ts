import { defineKernel, type Kernel } from "../../program/kernel.ts";
import { epilogueWgsl, type Epilogue } from "./epilogue.wgsl.ts";
import { MATMUL_PARAMS, range, TILE_OF_WORKGROUP } from "./tile.wgsl.ts";
import { weightsWgsl, type WeightFormat } from "./weights.wgsl.ts";

/** A tile of y that four subgroups multiply on the adapter's matrix units. */
export interface SubgroupMatrixTile {
  /** Of y, multiples of 32: each subgroup has a quarter. */
  readonly tileRows: number;
  readonly tileColumns: number;
  /** Steps of k that one stage brings into workgroup memory, a multiple of 16. */
  readonly depth: number;
  /** Lanes of a subgroup, exactly. */
  readonly subgroupSize: number;
}

/** Rows, columns and steps of k of one matrix in registers. */
export const MATRIX = 16;
/** Subgroups of a workgroup, two by two. */
const SUBGROUPS = 4;
/** Half floats at the end of each row of a stage: rows then begin in different banks of workgroup memory. */
const PADDING = 8;


/** Bytes of workgroup memory: a stage of A and of B in half floats, and a matrix of sums for each subgroup. */
export function subgroupMatrixBytes({ tileRows, tileColumns, depth }: SubgroupMatrixTile): number {
  return 2 * (tileRows + tileColumns) * (depth + PADDING) + 4 * SUBGROUPS * MATRIX * MATRIX;
}

/**
 * y = a · bᵀ on matrix units: half floats in, f32 sums. For weights that are stored in fewer bits than f32; a, which is
 * rounded to half floats on its way, is cut at their end, ±65504. A and B lie [M, K] and [N, K], K a multiple of 4. Matrices
 * of sums pass through workgroup memory, where edges are cut and the epilogue is applied.
 */
export function subgroupMatrixKernel(tile: SubgroupMatrixTile, format: WeightFormat, end: Epilogue): Kernel {
  const { tileRows, tileColumns, depth, subgroupSize } = tile;
  const lanes = SUBGROUPS * subgroupSize;
  const stride = depth + PADDING;
  const [matricesM, matricesN] = [tileRows / 2 / MATRIX, tileColumns / 2 / MATRIX];
  const weights = weightsWgsl(format, 4);
  const epilogue = epilogueWgsl(end, 1);
  // Four steps of one row at a time; rows and steps past the edges are 0.
  const turns = (rows: number) => range((rows * depth) / 4 / lanes);
  const place = (turn: number) => `let i = localIndex + ${turn * lanes}u; let own = i / ${depth / 4}u; let step = (i % ${depth / 4}u) * 4u;`;
  const load = (name: "a" | "b", rows: number, begin: string, size: string, start: string, value: string, k: string) =>
    turns(rows).map((turn) => `{
      ${place(turn)}
      ${name}${turn}s = vec4h(0);
      if (${begin} + own < ${size} && ${k} + step < kEnd) {
        let quad = (${start} + (${begin} + own) * p.k + ${k} + step) / 4u;
        ${name}${turn}s = vec4h(clamp(${value}, vec4f(-65504), vec4f(65504)));
      }
    }`).join("\n    ");
  const loadBoth = (k: string) => `${load("a", tileRows, `tileM * ${tileRows}u`, "p.m", "startA", "a[quad]", k)}
    ${load("b", tileColumns, `tileN * ${tileColumns}u`, "p.n", "startB", weights.four("quad"), k)}`;
  const storeStage = (name: "a" | "b", rows: number) =>
    turns(rows).map((turn) => `{ ${place(turn)} let at = own * ${stride}u + step; ${range(4).map((u) => `${name}Stage[at + ${u}u] = ${name}${turn}s.${"xyzw"[u]};`).join(" ")} }`).join("\n    ");
  const multiply = [
    ...range(matricesM).map((i) => `let a${i} = subgroupMatrixLoad<subgroup_matrix_left<f16, ${MATRIX}, ${MATRIX}>, row_major>(&aStage, (ownRow + ${i * MATRIX}u) * ${stride}u + step, ${stride}u);`),
    ...range(matricesN).flatMap((j) => [
      `let b${j} = subgroupMatrixLoad<subgroup_matrix_right<f16, ${MATRIX}, ${MATRIX}>, col_major>(&bStage, (ownColumn + ${j * MATRIX}u) * ${stride}u + step, ${stride}u);`,
      ...range(matricesM).map((i) => `c${i}_${j} = subgroupMatrixMultiplyAccumulate(a${i}, b${j}, c${i}_${j});`),
    ]),
  ];
  const stores = range(matricesM).flatMap((i) =>
    range(matricesN).map(
      (j) => `
  subgroupMatrixStore<row_major>(&sums, group * ${MATRIX * MATRIX}u, c${i}_${j}, ${MATRIX}u);
  workgroupBarrier();
  for (var e = lane; e < ${MATRIX * MATRIX}u; e += ${subgroupSize}u) {
    let row = tileM * ${tileRows}u + ownRow + ${i * MATRIX}u + e / ${MATRIX}u;
    let column = tileN * ${tileColumns}u + ownColumn + ${j * MATRIX}u + e % ${MATRIX}u;
    if (row < p.m && column < p.n) { ${epilogue.store("startY + row * p.n + column", "startBias + column", `sums[group * ${MATRIX * MATRIX}u + e]`)} }
  }
  workgroupBarrier();`,
    ),
  );
  return defineKernel({
    label: `matmul/subgroup-matrix/${tileRows}x${tileColumns}x${depth}${epilogue.label}/${format}`,
    enable: ["f16", "subgroups", "chromium_experimental_subgroup_matrix"],
    reads: { a: "array<vec4f>", ...weights.reads, ...epilogue.reads },
    writes: epilogue.writes,
    params: MATMUL_PARAMS,
    module: `${weights.module}\n${epilogue.module}
var<workgroup> aStage: array<f16, ${tileRows * stride}>;
var<workgroup> bStage: array<f16, ${tileColumns * stride}>;
var<workgroup> sums: array<f32, ${SUBGROUPS * MATRIX * MATRIX}>;`,
    workgroupSize: [lanes],
    builtins: "@builtin(subgroup_id) group: u32, @builtin(subgroup_invocation_id) lane: u32",
    body: `${TILE_OF_WORKGROUP}
  let ownRow = (group / 2u) * ${tileRows / 2}u;
  let ownColumn = (group % 2u) * ${tileColumns / 2}u;
  ${range(matricesM).map((i) => range(matricesN).map((j) => `var c${i}_${j}: subgroup_matrix_result<f32, ${MATRIX}, ${MATRIX}>;`).join(" ")).join("\n  ")}
  ${turns(tileRows).map((turn) => `var a${turn}s = vec4h(0);`).join(" ")}
  ${turns(tileColumns).map((turn) => `var b${turn}s = vec4h(0);`).join(" ")}
  ${loadBoth("kBegin")}
  for (var k = kBegin; k < kEnd; k += ${depth}u) {
    ${storeStage("a", tileRows)}
    ${storeStage("b", tileColumns)}
    workgroupBarrier();
    // Under way while this stage is multiplied.
    ${loadBoth(`(k + ${depth}u)`)}
    for (var step = 0u; step < ${depth}u; step += ${MATRIX}u) {
      ${multiply.join("\n      ")}
    }
    workgroupBarrier();
  }
${stores.join("")}`,
  });
}
