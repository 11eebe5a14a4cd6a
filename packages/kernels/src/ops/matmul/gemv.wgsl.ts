import { defineKernel, type Kernel } from "../../program/kernel.ts";
import { epilogueWgsl, type Epilogue } from "./epilogue.wgsl.ts";
import { MATMUL_PARAMS, TILE_OF_WORKGROUP } from "./tile.wgsl.ts";
import { weightsWgsl, type WeightFormat } from "./weights.wgsl.ts";

/** Products of few rows with weights stored [N, K], as in decoding: all lanes of a workgroup walk along k together, and add up what each has. */
export interface Gemv {
  /** Rows of y that a workgroup finishes. */
  readonly rows: number;
  /**
   * `subgroup`: a workgroup of 32 lanes, which is one subgroup where none is smaller, and needs neither workgroup memory nor
   * barriers. `workgroup`: 64 lanes, through workgroup memory.
   */
  readonly reduce: "subgroup" | "workgroup";
}

/** Columns of y that a workgroup finishes: so many loads of weights are on their way at once. */
export const GEMV_COLUMNS = 4;
/** Lanes of a workgroup whose lanes are one subgroup. */
export const SUBGROUP_LANES = 32;
const LANES = 64;

const range = (count: number) => Array.from({ length: count }, (_, i) => i);

/** Bytes of workgroup memory. */
export function gemvBytes({ rows, reduce }: Gemv): number {
  return reduce === "subgroup" ? 0 : 16 * LANES * rows;
}

/** y = a · bᵀ, K a multiple of 4: neighbouring lanes read neighbouring weights, each as many as lie in one word or vec4. */
export function gemvKernel({ rows, reduce }: Gemv, format: WeightFormat, end: Epilogue): Kernel {
  const subgroup = reduce === "subgroup";
  const lanes = subgroup ? SUBGROUP_LANES : LANES;
  const weights = weightsWgsl(format, 4);
  const epilogue = epilogueWgsl(end, 1);
  // Four-bit steps come eight to a word.
  const quads = format === "q4_0" || format === "q4_1" ? 2 : 1;
  const load = range(quads).flatMap((u) => [
    ...range(rows).map((i) => `let a${u}_${i} = a[a${i}Start + at + ${u}u];`),
    ...range(GEMV_COLUMNS).map((c) => `let b${u}_${c} = ${weights.four(`b${c}Start + at + ${u}u`)};`),
    ...range(rows).map((i) => `c${i} += vec4f(${range(GEMV_COLUMNS).map((c) => `dot(a${u}_${i}, b${u}_${c})`).join(", ")});`),
  ]);
  const sums = subgroup
    ? range(rows).map((i) => `c${i} = subgroupAdd(c${i});`)
    : [
        ...range(rows).map((i) => `partial[${i * LANES}u + localIndex] = c${i};`),
        `for (var half = ${LANES / 2}u; half > 0u; half /= 2u) {`,
        "  workgroupBarrier();",
        `  if (localIndex < half) { ${range(rows).map((i) => `partial[${i * LANES}u + localIndex] += partial[${i * LANES}u + localIndex + half];`).join(" ")} }`,
        "}",
      ];
  const stores = range(rows).map(
    (i) => `if (row + ${i}u < p.m) {
      let at = startY + (row + ${i}u) * p.n;
      ${range(GEMV_COLUMNS).map((c) => `if (column + ${c}u < p.n) { ${epilogue.store(`at + column + ${c}u`, `startBias + column + ${c}u`, `c${i}.${"xyzw"[c]}`)} }`).join("\n      ")}
    }`,
  );
  return defineKernel({
    label: `matmul/gemv/${rows}x${GEMV_COLUMNS}/${reduce}${epilogue.label}/${format}`,
    enable: subgroup ? ["subgroups"] : [],
    reads: { a: "array<vec4f>", ...weights.reads, ...epilogue.reads },
    writes: epilogue.writes,
    params: MATMUL_PARAMS,
    module: `${weights.module}\n${epilogue.module}${subgroup ? "" : `\nvar<workgroup> partial: array<vec4f, ${LANES * rows}>;`}`,
    workgroupSize: [lanes],
    body: `${TILE_OF_WORKGROUP}
  let row = tileM * ${rows}u;
  let column = tileN * ${GEMV_COLUMNS}u;
  ${range(rows).map((i) => `let a${i}Start = (startA + min(row + ${i}u, p.m - 1u) * p.k) / 4u;`).join("\n  ")}
  ${range(GEMV_COLUMNS).map((c) => `let b${c}Start = (startB + min(column + ${c}u, p.n - 1u) * p.k) / 4u;`).join("\n  ")}
  ${range(rows).map((i) => `var c${i} = vec4f(0);`).join(" ")}
  for (var at = kBegin / 4u + localIndex * ${quads}u; at < kEnd / 4u; at += ${lanes * quads}u) {
    ${load.join("\n    ")}
  }
  ${sums.join("\n  ")}
  if (localIndex == 0u) {
    ${subgroup ? "" : range(rows).map((i) => `c${i} = partial[${i * LANES}u];`).join(" ")}
    ${stores.join("\n    ")}
  }`,
  });
}
