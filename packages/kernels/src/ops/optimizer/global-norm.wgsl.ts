import { defineKernel, linearWorkgroups, type Kernel } from "../../program/kernel.ts";
import { kernelMemo } from "../../program/kernel-memo.ts";
import { spanOf, type BufferRef } from "../../program/lowering.ts";
import type { LowerContext } from "../../program/op.ts";
import { foursInto, PIECE_WGSL, piecesOf } from "./pieces.ts";

interface Shape {
  readonly lanes: number;
  readonly foursPerLane: number;
  /** Whether a workgroup adds up what its lanes found. A software adapter pays more for the barriers than for what it saves. */
  readonly joins: boolean;
}

const SHAPES: Record<"software" | "gpu", Shape> = {
  software: { lanes: 32, foursPerLane: 256, joins: false },
  gpu: { lanes: 256, foursPerLane: 16, joins: true },
};
const LAST_LANES = 64;
const kernelOnce = kernelMemo();

/** Sums in `sums` become one in `sums[0]`, always in the same order. */
const treeWgsl = (lanes: number) => `
  for (var half = ${lanes / 2}u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (localIndex < half) { sums[localIndex] += sums[localIndex + half]; }
  }`;

/** The squares of a piece, added up by lane or by workgroup. */
function squaresKernel({ lanes, joins }: Shape): Kernel {
  return defineKernel({
    label: `globalNorm/squares/${lanes}`,
    reads: { x: "array<vec4f>", table: "array<vec4u>" },
    writes: { partial: "array<f32>" },
    params: { pieces: "u32" },
    workgroupSize: [lanes],
    ...(joins && { module: `var<workgroup> sums: array<f32, ${lanes}>;` }),
    body: `${PIECE_WGSL}
  let begin = table[piece].x;
  let fours = table[piece].y;
  var total = vec4f(0);
  for (var i = localIndex; i < fours; i += ${lanes}u) {
    var four = x[begin + i];
    if (i + 1u == fours) { four = select(vec4f(0), four, vec4u(0u, 1u, 2u, 3u) < vec4u(table[piece].z)); }
    total += four * four;
  }
  let sum = dot(total, vec4f(1));
  let slot = table[piece].w;
${joins ? `  sums[localIndex] = sum;${treeWgsl(lanes)}\n  if (localIndex == 0u) { partial[slot] = sums[0]; }` : `  partial[slot * ${lanes}u + localIndex] = sum;`}`,
  });
}

const rootKernel = defineKernel({
  label: "globalNorm/root",
  reads: { partial: "array<f32>" },
  writes: { norm: "array<f32>" },
  params: { size: "u32" },
  workgroupSize: [LAST_LANES],
  module: `var<workgroup> sums: array<f32, ${LAST_LANES}>;`,
  body: `
  var total = 0.0;
  for (var i = localIndex; i < p.size; i += ${LAST_LANES}u) { total += partial[i]; }
  sums[localIndex] = total;${treeWgsl(LAST_LANES)}
  if (localIndex == 0u) { norm[0] = sqrt(sums[0]); }`,
});

export function lowerGlobalNorm({ inputs, outputs, adapter, scratch, table, dispatch }: LowerContext<object>): void {
  const shape = SHAPES[adapter.kind === "software" ? "software" : "gpu"];
  // Partial sums lie in the order of the inputs, however these are spread over storages: that is the order of addition.
  const byStorage = new Map<number, { x: BufferRef; firstFour: number; fours: number; inLastFour: number; slot: number }[]>();
  let slots = 0;
  for (const x of inputs) {
    const pieces = byStorage.get(x.storage) ?? [];
    byStorage.set(x.storage, pieces);
    for (const piece of piecesOf(x, shape.lanes * shape.foursPerLane)) pieces.push({ x, ...piece, slot: slots++ });
  }
  const size = slots * (shape.joins ? 1 : shape.lanes);
  const partial = scratch({ dtype: "f32", shape: [size] });
  for (const pieces of byStorage.values()) {
    if (pieces.length === 0) continue;
    const span = spanOf(pieces.map(({ x }) => x));
    const rows = pieces.flatMap(({ x, firstFour, fours, inLastFour, slot }) => [foursInto(span, x) + firstFour, fours, inLastFour, slot]);
    const elements = pieces.reduce((total, { fours }) => total + 4 * fours, 0);
    dispatch({
      kernel: kernelOnce(["squares", shape.lanes], () => squaresKernel(shape)),
      buffers: [span, table(Uint32Array.from(rows)), partial],
      params: { pieces: pieces.length },
      workgroups: linearWorkgroups(pieces.length, 1),
      flops: 2 * elements,
      bytes: 4 * elements,
    });
  }
  dispatch({ kernel: rootKernel, buffers: [partial, outputs[0]!], params: { size }, workgroups: [1, 1, 1], flops: size, bytes: 4 * size });
}
