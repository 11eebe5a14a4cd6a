import { defineKernel, linearWorkgroups, type Kernel } from "../../program/kernel.ts";
import type { BufferRef } from "../../program/lowering.ts";
import type { LowerContext } from "../../program/op.ts";
import { sizeOf } from "../../program/types.ts";
import type { ReduceAttributes, Reduction } from "./op.ts";

const WORKGROUP_SIZE = 32;
/** Below this many results a second pass pays: one lane per result would leave the adapter idle. */
const FEW_RESULTS = 256;
const MIN_CHUNK = 64;

/** x [outer, reduced, inner] → y [outer, chunks, inner]; an invocation folds one chunk of one column, four columns where inner allows. */
function reduceKernel(reduction: Reduction, width: 1 | 4): Kernel {
  const type = width === 4 ? "vec4f" : "f32";
  const start = reduction === "sum" ? `${type}(0)` : `${type}(-3.4028234663852886e38)`;
  const fold = reduction === "sum" ? "total + x[at]" : "max(total, x[at])";
  return defineKernel({
    label: `reduce/${reduction}/x${width}`,
    reads: { x: `array<${type}>` },
    writes: { y: `array<${type}>` },
    params: { reduced: "u32", inner: "u32", chunks: "u32", chunk: "u32" },
    workgroupSize: [WORKGROUP_SIZE],
    linear: true,
    body: `
  let column = index % p.inner;
  let chunk = (index / p.inner) % p.chunks;
  let outer = index / (p.inner * p.chunks);
  let begin = chunk * p.chunk;
  let end = min(begin + p.chunk, p.reduced);
  var total = ${start};
  var at = (outer * p.reduced + begin) * p.inner + column;
  for (var r = begin; r < end; r++) {
    total = ${fold};
    at += p.inner;
  }
  y[index] = total;`,
  });
}

const kernels = {
  sum: { 1: reduceKernel("sum", 1), 4: reduceKernel("sum", 4) },
  max: { 1: reduceKernel("max", 1), 4: reduceKernel("max", 4) },
};

export function lowerReduce({ attributes: { reduction, begin, end }, inputs, outputs, scratch, dispatch }: LowerContext<ReduceAttributes>): void {
  const { shape } = inputs[0]!.type;
  const outer = sizeOf(shape.slice(0, begin));
  const reduced = sizeOf(shape.slice(begin, end));
  const inner = sizeOf(shape.slice(end));
  const pass = (x: BufferRef, y: BufferRef, extent: number, chunks: number) => {
    const width = inner % 4 === 0 ? 4 : 1;
    const chunk = Math.ceil(extent / chunks);
    const count = (outer * chunks * inner) / width;
    dispatch({
      kernel: kernels[reduction][width],
      buffers: [x, y],
      params: { count, reduced: extent, inner: inner / width, chunks, chunk },
      workgroups: linearWorkgroups(count, WORKGROUP_SIZE),
      flops: outer * extent * inner,
      bytes: 4 * outer * inner * (extent + chunks),
    });
  };
  const results = outer * inner;
  const chunks = results === 0 ? 1 : Math.min(Math.ceil(FEW_RESULTS / results), Math.floor(reduced / MIN_CHUNK));
  if (chunks < 2) {
    pass(inputs[0]!, outputs[0]!, reduced, 1);
    return;
  }
  const partial = scratch({ dtype: "f32", shape: [outer, chunks, inner] });
  pass(inputs[0]!, partial, reduced, chunks);
  pass(partial, outputs[0]!, chunks, 1);
}
