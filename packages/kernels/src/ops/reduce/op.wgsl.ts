import type { AdapterProfile } from "../../device/profile.ts";
import { defineKernel, linearWorkgroups, type Kernel } from "../../program/kernel.ts";
import { kernelMemo } from "../../program/kernel-memo.ts";
import type { BufferRef } from "../../program/lowering.ts";
import type { LowerContext } from "../../program/op.ts";
import { sizeOf } from "../../program/types.ts";
import { chunksOfRows, columnWorkgroupSize } from "../rowwise/columns.ts";
import { typeOf, type Width } from "../rowwise/rows.ts";
import type { ReduceAttributes, Reduction } from "./op.ts";

const LOWEST = "-3.4028234663852886e38";
const startOf = (reduction: Reduction, type: string) => (reduction === "sum" ? `${type}(0)` : `${type}(${LOWEST})`);
const fold = (reduction: Reduction, a: string, b: string) => (reduction === "sum" ? `${a} + ${b}` : `max(${a}, ${b})`);
const across = (reduction: Reduction, value: string, width: Width) => (width === 1 ? value : reduction === "sum" ? `dot(${value}, vec4f(1))` : `max(max(${value}.x, ${value}.y), max(${value}.z, ${value}.w))`);

/** x [outer, reduced, inner] → y [outer, chunks, inner]; an invocation folds one chunk of one column, four columns where inner allows. */
function columnsKernel(reduction: Reduction, width: Width, workgroupSize: number): Kernel {
  const type = typeOf(width);
  return defineKernel({
    label: `reduce/${reduction}/columns/x${width}`,
    reads: { x: `array<${type}>` },
    writes: { y: `array<${type}>` },
    params: { reduced: "u32", inner: "u32", chunks: "u32", chunk: "u32", scale: "f32" },
    workgroupSize: [workgroupSize],
    linear: true,
    body: `
  let column = index % p.inner;
  let chunk = (index / p.inner) % p.chunks;
  let outer = index / (p.inner * p.chunks);
  let begin = chunk * p.chunk;
  let end = min(begin + p.chunk, p.reduced);
  var total = ${startOf(reduction, type)};
  var at = (outer * p.reduced + begin) * p.inner + column;
  for (var r = begin; r < end; r++) {
    total = ${fold(reduction, "total", "x[at]")};
    at += p.inner;
  }
  y[index] = total * p.scale;`,
  });
}

/** x [outer, reduced] → y [outer, chunks]: `lanes` invocations fold one chunk of a row, one of them alone or a workgroup in a tree. */
function rowsKernel(reduction: Reduction, width: Width, lanes: 1 | 64 | 256, workgroupSize: number): Kernel {
  const type = typeOf(width);
  const alone = lanes === 1;
  const start = `
  let chunk = part % p.chunks;
  let begin = (part / p.chunks) * p.steps;
  let end = begin + min((chunk + 1u) * p.chunk, p.steps);
  var total = ${startOf(reduction, type)};`;
  const result = across(reduction, "total", width);
  return defineKernel({
    label: `reduce/${reduction}/rows/${alone ? "lane" : `workgroup-${lanes}`}/x${width}`,
    reads: { x: `array<${type}>` },
    writes: { y: "array<f32>" },
    params: { ...(!alone && { count: "u32" as const }), steps: "u32", chunks: "u32", chunk: "u32", scale: "f32" },
    workgroupSize: [workgroupSize],
    ...(alone ? { linear: true } : { module: `var<workgroup> partial: array<f32, ${lanes}>;` }),
    body: alone
      ? `
  let part = index;${start}
  for (var at = begin + chunk * p.chunk; at < end; at++) { total = ${fold(reduction, "total", "x[at]")}; }
  y[index] = ${result} * p.scale;`
      : `
  let part = workgroup.y * numWorkgroups.x + workgroup.x;
  if (part >= p.count) { return; }${start}
  for (var at = begin + chunk * p.chunk + localIndex; at < end; at += ${lanes}u) { total = ${fold(reduction, "total", "x[at]")}; }
  partial[localIndex] = ${result};
  workgroupBarrier();
  for (var half = ${lanes / 2}u; half > 0u; half /= 2u) {
    if (localIndex < half) { partial[localIndex] = ${fold(reduction, "partial[localIndex]", "partial[localIndex + half]")}; }
    workgroupBarrier();
  }
  if (localIndex == 0u) { y[part] = partial[0] * p.scale; }`,
  });
}

const kernelOnce = kernelMemo();

/** Rows from which a CPU is better off with one for each lane. */
const MANY_ROWS = 64;
/** What an invocation of a CPU, or a workgroup of a GPU, folds of a long row. */
const ELEMENTS_PER_CHUNK = 16_384;

/** Who folds rows of `steps` loads, and into how many chunks they go. */
export function chooseRowReduction(adapter: Pick<AdapterProfile, "kind">, rows: number, steps: number, width: Width): { lanes: 1 | 64 | 256; chunks: number } {
  const software = adapter.kind === "software";
  if (rows >= MANY_ROWS) return { lanes: software ? 1 : steps > 256 ? 256 : 64, chunks: 1 };
  const chunks = Math.min(256, Math.ceil((steps * width) / ELEMENTS_PER_CHUNK));
  // Invocations that wait for each other are dear on a CPU, but for a short row.
  if (software && chunks > 1) return { lanes: 1, chunks: Math.max(chunks, Math.ceil(MANY_ROWS / rows)) };
  return { lanes: steps > 256 ? 256 : 64, chunks: Math.max(1, chunks) };
}

export function lowerReduce(context: LowerContext<ReduceAttributes>, choose = chooseRowReduction): void {
  const { attributes: { reduction, begin, end, scale = 1 }, inputs: [x], outputs: [y], adapter, scratch } = context;
  const { shape } = x!.type;
  const outer = sizeOf(shape.slice(0, begin));
  const reduced = sizeOf(shape.slice(begin, end));
  const inner = sizeOf(shape.slice(end));
  const pass = inner === 1 ? foldRows : foldColumns;
  const width: Width = (inner === 1 ? reduced : inner) % 4 === 0 && reduced > 0 ? 4 : 1;
  const { chunks, chunk, lanes } = inner === 1 ? rowChunks(choose(adapter, outer, reduced / width, width), reduced / width) : { ...chunksOfRows(adapter, reduced, (outer * inner) / width), lanes: 1 as const };
  const first: Pass = { reduction, outer, reduced, inner, width, chunks, chunk, lanes, scale };
  if (chunks === 1) {
    pass(context, x!, y!, first);
    return;
  }
  const partial = scratch({ dtype: "f32", shape: [outer, chunks, inner] });
  pass(context, x!, partial, { ...first, scale: 1 });
  const rest = inner === 1 && chunks % 4 !== 0 ? 1 : width;
  pass(context, partial, y!, { ...first, reduced: chunks, width: rest, chunks: 1, chunk: inner === 1 ? chunks / rest : chunks, lanes: inner === 1 ? 64 : 1 });
}

function rowChunks({ lanes, chunks }: { lanes: 1 | 64 | 256; chunks: number }, steps: number) {
  const chunk = Math.max(1, Math.ceil(steps / chunks));
  return { lanes, chunk, chunks: Math.max(1, Math.ceil(steps / chunk)) };
}

interface Pass {
  readonly reduction: Reduction;
  readonly outer: number;
  readonly reduced: number;
  readonly inner: number;
  readonly width: Width;
  readonly chunks: number;
  readonly chunk: number;
  readonly lanes: 1 | 64 | 256;
  readonly scale: number;
}

type Context = Pick<LowerContext<object>, "adapter" | "dispatch">;

function foldColumns({ adapter, dispatch }: Context, x: BufferRef, y: BufferRef, { reduction, outer, reduced, inner, width, chunks, chunk, scale }: Pass): void {
  const workgroupSize = columnWorkgroupSize(adapter);
  const count = (outer * chunks * inner) / width;
  dispatch({
    kernel: kernelOnce(["columns", reduction, width, workgroupSize], () => columnsKernel(reduction, width, workgroupSize)),
    buffers: [x, y],
    params: { count, reduced, inner: inner / width, chunks, chunk, scale },
    workgroups: linearWorkgroups(count, workgroupSize),
    flops: outer * reduced * inner,
    bytes: 4 * outer * inner * (reduced + chunks),
  });
}

function foldRows({ adapter, dispatch }: Context, x: BufferRef, y: BufferRef, { reduction, outer, reduced, width, chunks, chunk, lanes, scale }: Pass): void {
  const workgroupSize = lanes === 1 ? columnWorkgroupSize(adapter) : lanes;
  const count = outer * chunks;
  dispatch({
    kernel: kernelOnce(["rows", reduction, width, lanes, workgroupSize], () => rowsKernel(reduction, width, lanes, workgroupSize)),
    buffers: [x, y],
    params: { count, steps: reduced / width, chunks, chunk, scale },
    workgroups: linearWorkgroups(count, lanes === 1 ? workgroupSize : 1),
    flops: outer * reduced,
    bytes: 4 * outer * (reduced + chunks),
  });
}
