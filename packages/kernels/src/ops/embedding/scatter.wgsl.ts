import { defineKernel, linearWorkgroups, type Kernel } from "../../program/kernel.ts";
import { kernelMemo } from "../../program/kernel-memo.ts";
import type { LowerContext } from "../../program/op.ts";
import { sizeOf } from "../../program/types.ts";

// Tokens are grouped by their id first, each group in the order of the tokens, so that an invocation that owns columns of
// one row adds up just what belongs there: no float atomics, no row written twice, one order of addition. Two lists say how:
// `order` has the tokens group after group, `runs[i]` is the length of the group that begins at i, 0 inside groups.

type Width = 1 | 4;

const WORKGROUP_SIZE = 32;
const GROUPED = 0x80000000;

/**
 * Groups on one lane, as a CPU would: it counts each id, then gives groups their places as they first come. A GPU would wait
 * for its memory at each of these steps. `table` has a word for each row, zeroed: its count, later the next place in its group.
 */
const serialOrderKernel = defineKernel({
  label: "scatterAdd/order/serial",
  reads: { ids: "array<i32>" },
  writes: { table: "array<u32>", order: "array<u32>", runs: "array<u32>" },
  params: { tokens: "u32", rows: "u32" },
  workgroupSize: [1],
  body: `
  for (var token = 0u; token < p.tokens; token++) {
    // A negative id is a large u32: outside, like any other past the end.
    let row = u32(ids[token]);
    if (row < p.rows) { table[row] += 1u; }
  }
  var end = 0u;
  for (var token = 0u; token < p.tokens; token++) {
    let row = u32(ids[token]);
    if (row >= p.rows) { continue; }
    let entry = table[row];
    let begins = (entry & ${GROUPED}u) == 0u;
    let place = select(entry & ${GROUPED - 1}u, end, begins);
    end += select(0u, entry, begins);
    order[place] = token;
    runs[place] = select(0u, entry, begins);
    table[row] = ${GROUPED}u | (place + 1u);
  }
  for (var i = end; i < p.tokens; i++) { runs[i] = 0u; }`,
});

/** Few, so that some thousand tokens keep a large GPU busy. */
const ORDER_LANES = 64;
/** Each lane compares its token with all others: 67 million comparisons for this many, little for a GPU. */
const MAX_PARALLEL_TOKENS = 8192;

/** Groups with a lane for each token: its place is the number of tokens that come before it, by id and then by position. */
const parallelOrderKernel = defineKernel({
  label: "scatterAdd/order/parallel",
  reads: { ids: "array<i32>" },
  writes: { order: "array<u32>", runs: "array<u32>" },
  params: { begin: "u32", tokens: "u32", rows: "u32" },
  module: `
var<workgroup> tile: array<vec4u, ${ORDER_LANES}>;
fn rowOf(token: u32) -> u32 { return min(u32(ids[p.begin + min(token, p.tokens - 1u)]), p.rows); }`,
  workgroupSize: [ORDER_LANES],
  body: `
  let token = workgroup.x * ${ORDER_LANES}u + localIndex;
  let row = rowOf(token);
  var smaller = vec4u(0);
  var equal = vec4u(0);
  var equalBefore = vec4u(0);
  for (var begin = 0u; begin < p.tokens; begin += ${4 * ORDER_LANES}u) {
    workgroupBarrier();
    let own = begin + 4u * localIndex;
    tile[localIndex] = vec4u(rowOf(own), rowOf(own + 1u), rowOf(own + 2u), rowOf(own + 3u));
    workgroupBarrier();
    let count = min(${4 * ORDER_LANES}u, p.tokens - begin);
    for (var i = 0u; i < count; i += 4u) {
      let other = tile[i / 4u];
      let at = vec4u(0u, 1u, 2u, 3u) + i;
      let exists = at < vec4u(count);
      let same = exists & (other == vec4u(row));
      smaller += vec4u(exists & (other < vec4u(row)));
      equal += vec4u(same);
      equalBefore += vec4u(same & (begin + at < vec4u(token)));
    }
  }
  if (token < p.tokens) {
    let before = dot(equalBefore, vec4u(1));
    let place = dot(smaller, vec4u(1)) + before;
    order[place] = token;
    runs[place] = select(0u, dot(equal, vec4u(1)), before == 0u && row < p.rows);
  }`,
});

/** @param span columns (or fours) of a lane, `p.lanes` apart: a software adapter reads the lists once for all of them */
function sumKernel(width: Width, span: number): Kernel {
  const type = width === 4 ? "vec4f" : "f32";
  const each = (line: (i: number) => string) => Array.from({ length: span }, (_, i) => line(i)).join("\n");
  return defineKernel({
    label: `scatterAdd/sum/x${width}x${span}`,
    reads: { ids: "array<i32>", order: "array<u32>", runs: "array<u32>", updates: `array<${type}>` },
    writes: { y: `array<${type}>` },
    params: { begin: "u32", lanes: "u32", steps: "u32" },
    workgroupSize: [WORKGROUP_SIZE],
    linear: true,
    body: `
  let first = index / p.lanes;
  let column = index % p.lanes;
  let count = runs[first];
  if (count == 0u) { return; }
${each((i) => `  let column${i} = min(column + ${i}u * p.lanes, p.steps - 1u);\n  var total${i} = ${type}(0);`)}
  for (var i = 0u; i < count; i++) {
    let at = (p.begin + order[first + i]) * p.steps;
${each((i) => `    total${i} += updates[at + column${i}];`)}
  }
  let row = u32(ids[p.begin + order[first]]) * p.steps;
${each((i) => `  ${i === 0 ? "" : `if (column + ${i}u * p.lanes < p.steps) `}{ y[row + column${i}] += total${i}; }`)}`,
  });
}

const kernelOnce = kernelMemo();

export function lowerScatterAdd({ inputs: [ids, updates], outputs: [y], adapter, scratch, clear, dispatch }: LowerContext<{ rows: number }>): void {
  const [rows, features] = y!.type.shape as [number, number];
  const all = sizeOf(ids!.type.shape);
  clear(y!);
  if (all === 0 || features === 0) return;
  const serial = adapter.kind === "software";
  const width: Width = features % 4 === 0 ? 4 : 1;
  const steps = features / width;
  const span = serial ? 4 : 1;
  const lanes = Math.ceil(steps / span);
  const u32s = (size: number) => scratch({ dtype: "u32", shape: [size] });
  const most = serial ? all : Math.min(all, MAX_PARALLEL_TOKENS);
  const [order, runs] = [u32s(most), u32s(most)];
  for (let begin = 0; begin < all; begin += most) {
    const tokens = Math.min(most, all - begin);
    if (serial) {
      const table = u32s(rows);
      clear(table);
      dispatch({ kernel: serialOrderKernel, buffers: [ids!, table, order, runs], params: { tokens, rows }, workgroups: [1, 1, 1], flops: 0, bytes: 4 * 3 * tokens });
    } else {
      dispatch({ kernel: parallelOrderKernel, buffers: [ids!, order, runs], params: { begin, tokens, rows }, workgroups: [Math.ceil(tokens / ORDER_LANES), 1, 1], flops: 0, bytes: 4 * 3 * tokens });
    }
    dispatch({
      kernel: kernelOnce([width, span], () => sumKernel(width, span)),
      buffers: [ids!, order, runs, updates!, y!],
      params: { count: tokens * lanes, begin, lanes, steps },
      workgroups: linearWorkgroups(tokens * lanes, WORKGROUP_SIZE),
      flops: tokens * features,
      bytes: 4 * 3 * tokens * features,
    });
  }
}
