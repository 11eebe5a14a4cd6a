import { defineKernel, linearWorkgroups } from "../../program/kernel.ts";
import type { LowerContext } from "../../program/op.ts";
import type { TopKAttributes } from "./op.ts";

const WORKGROUP_SIZE = 32;
/** A row is cut where there are few rows: a catalogue of a million items is one row. */
const WANTED_INVOCATIONS = 1024;
const MIN_CANDIDATES_PER_CHUNK = 512;

/**
 * Keeps the k best of what it has seen, in order, in the invocation's own place of the written buffers: k is no constant of
 * the text. Candidates come in the order of their indices and equal ones do not pass each other.
 */
const INSERT = `
    if (filled == p.k && value <= least) { continue; }
    var place = min(filled, p.k - 1u);
    while (place > 0u && value > values[begin + place - 1u]) {
      values[begin + place] = values[begin + place - 1u];
      indices[begin + place] = indices[begin + place - 1u];
      place--;
    }
    values[begin + place] = value;
    indices[begin + place] = candidate;
    filled = min(filled + 1u, p.k);
    least = values[begin + filled - 1u];`;

/** x [rows, candidates] → the k best of each chunk, [rows, chunks, k]. A chunk shorter than k fills its first places. */
const chunkKernel = defineKernel({
  label: "topK/chunk",
  reads: { x: "array<f32>" },
  writes: { values: "array<f32>", indices: "array<i32>" },
  params: { candidates: "u32", chunks: "u32", chunk: "u32", k: "u32" },
  workgroupSize: [WORKGROUP_SIZE],
  linear: true,
  body: `
  let row = index / p.chunks;
  let first = (index % p.chunks) * p.chunk;
  let last = min(first + p.chunk, p.candidates);
  let begin = index * p.k;
  var filled = 0u;
  var least = 0.0;
  for (var i = first; i < last; i++) {
    let value = x[row * p.candidates + i];
    let candidate = i32(i);${INSERT}
  }`,
});

/** The chunks' best, [rows, chunks, k] → the rows' best, [rows, k]. */
const mergeKernel = defineKernel({
  label: "topK/merge",
  reads: { chunkValues: "array<f32>", chunkIndices: "array<i32>" },
  writes: { values: "array<f32>", indices: "array<i32>" },
  params: { candidates: "u32", chunks: "u32", chunk: "u32", k: "u32" },
  workgroupSize: [WORKGROUP_SIZE],
  linear: true,
  body: `
  let begin = index * p.k;
  var filled = 0u;
  var least = 0.0;
  for (var i = 0u; i < p.chunks * p.k; i++) {
    let chunk = i / p.k;
    if (i % p.k >= min(p.chunk, p.candidates - chunk * p.chunk)) { continue; }
    let value = chunkValues[index * p.chunks * p.k + i];
    let candidate = chunkIndices[index * p.chunks * p.k + i];${INSERT}
  }`,
});

export function lowerTopK({ attributes: { k }, inputs: [x], outputs, scratch, dispatch }: LowerContext<TopKAttributes>): void {
  const { shape } = x!.type;
  const candidates = shape.at(-1)!;
  const rows = shape.slice(0, -1).reduce((product, extent) => product * extent, 1);
  const wanted = Math.max(1, Math.min(Math.ceil(WANTED_INVOCATIONS / Math.max(1, rows)), Math.floor(candidates / Math.max(MIN_CANDIDATES_PER_CHUNK, 4 * k))));
  const chunk = Math.ceil(candidates / wanted);
  const chunks = Math.ceil(candidates / chunk);
  const partials = chunks === 1 ? outputs : outputs.map(({ type: { dtype } }) => scratch({ dtype, shape: [rows, chunks, k] }));
  const params = { candidates, chunks, chunk, k };
  dispatch({
    kernel: chunkKernel,
    buffers: [x!, ...partials],
    params: { count: rows * chunks, ...params },
    workgroups: linearWorkgroups(rows * chunks, WORKGROUP_SIZE),
    flops: rows * candidates,
    bytes: 4 * rows * (candidates + 2 * chunks * k),
  });
  if (chunks === 1) return;
  dispatch({
    kernel: mergeKernel,
    buffers: [...partials, ...outputs],
    params: { count: rows, ...params },
    workgroups: linearWorkgroups(rows, WORKGROUP_SIZE),
    flops: rows * chunks * k,
    bytes: 4 * rows * 2 * k * (chunks + 1),
  });
}
