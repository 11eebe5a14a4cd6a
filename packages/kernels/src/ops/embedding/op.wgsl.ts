import { defineKernel, linearWorkgroups, type Kernel } from "../../program/kernel.ts";
import type { LowerContext } from "../../program/op.ts";
import { sizeOf } from "../../program/types.ts";

const WORKGROUP_SIZE = 32;
/** Fewer, longer invocations: with one store each, filling took lavapipe two to three times the CPU time. */
const ZEROS_PER_LANE = 16;
/** Lanes that share a column, powers of two. Each walks every id, which a CPU feels and a GPU hides. */
const PARTITIONS = { software: 2, gpu: 64 };

type Width = 1 | 4;

function gatherKernel(width: Width): Kernel {
  const type = width === 4 ? "vec4f" : "f32";
  return defineKernel({
    label: `embedding/x${width}`,
    reads: { table: `array<${type}>`, ids: "array<i32>" },
    writes: { y: `array<${type}>` },
    params: { rows: "u32", steps: "u32" },
    workgroupSize: [WORKGROUP_SIZE],
    linear: true,
    body: `
  let row = u32(clamp(ids[index / p.steps], 0, i32(p.rows) - 1));
  y[index] = table[row * p.steps + index % p.steps];`,
  });
}

function zeroKernel(width: Width): Kernel {
  const type = width === 4 ? "vec4f" : "f32";
  return defineKernel({
    label: `scatterAdd/zero/x${width}`,
    writes: { y: `array<${type}>` },
    params: { size: "u32" },
    workgroupSize: [WORKGROUP_SIZE],
    linear: true,
    body: `
  let begin = (index / ${WORKGROUP_SIZE}u) * ${WORKGROUP_SIZE * ZEROS_PER_LANE}u + index % ${WORKGROUP_SIZE}u;
  let end = min(begin + ${WORKGROUP_SIZE * ZEROS_PER_LANE}u, p.size);
  for (var at = begin; at < end; at += ${WORKGROUP_SIZE}u) { y[at] = ${type}(0); }`,
  });
}

/**
 * An invocation owns one column (or four) of the rows whose low bits (`mask`) are its own number, and walks all ids
 * in order: no two write the same place, and the order of addition is fixed. A run of equal ids stays in a register.
 */
function scatterKernel(width: Width): Kernel {
  const type = width === 4 ? "vec4f" : "f32";
  return defineKernel({
    label: `scatterAdd/x${width}`,
    reads: { ids: "array<i32>", updates: `array<${type}>` },
    writes: { y: `array<${type}>` },
    params: { rows: "u32", steps: "u32", tokens: "u32", mask: "u32" },
    workgroupSize: [WORKGROUP_SIZE],
    linear: true,
    body: `
  let column = index % p.steps;
  let owned = index / p.steps;
  var current = p.rows;
  var total = ${type}(0);
  for (var token = 0u; token < p.tokens; token++) {
    // A negative id is a large u32: outside, like any other past the end.
    let row = u32(ids[token]);
    if (row >= p.rows || (row & p.mask) != owned) { continue; }
    if (row != current) {
      if (current < p.rows) { y[current * p.steps + column] = total; }
      current = row;
      total = y[row * p.steps + column];
    }
    total += updates[token * p.steps + column];
  }
  if (current < p.rows) { y[current * p.steps + column] = total; }`,
  });
}

const perWidth = (kernel: (width: Width) => Kernel) => ({ 1: kernel(1), 4: kernel(4) });
const kernels = { gather: perWidth(gatherKernel), zero: perWidth(zeroKernel), scatter: perWidth(scatterKernel) };

export function lowerEmbedding({ inputs: [table, ids], outputs: [y], dispatch }: LowerContext<object>): void {
  const [rows, features] = table!.type.shape as [number, number];
  const width: Width = features % 4 === 0 ? 4 : 1;
  const count = sizeOf(y!.type.shape) / width;
  dispatch({
    kernel: kernels.gather[width],
    buffers: [table!, ids!, y!],
    params: { count, rows, steps: features / width },
    workgroups: linearWorkgroups(count, WORKGROUP_SIZE),
    flops: 0,
    bytes: 4 * (2 * width * count + sizeOf(ids!.type.shape)),
  });
}

export function lowerScatterAdd({ inputs: [ids, updates], outputs: [y], adapter, dispatch }: LowerContext<{ rows: number }>): void {
  const [rows, features] = y!.type.shape as [number, number];
  const width: Width = features % 4 === 0 ? 4 : 1;
  const steps = features / width;
  const tokens = sizeOf(ids!.type.shape);
  const zeroLanes = WORKGROUP_SIZE * Math.ceil((rows * steps) / (WORKGROUP_SIZE * ZEROS_PER_LANE));
  dispatch({
    kernel: kernels.zero[width],
    buffers: [y!],
    params: { count: zeroLanes, size: rows * steps },
    workgroups: linearWorkgroups(zeroLanes, WORKGROUP_SIZE),
    flops: 0,
    bytes: 4 * rows * features,
  });
  const partitions = adapter.kind === "software" ? PARTITIONS.software : PARTITIONS.gpu;
  dispatch({
    kernel: kernels.scatter[width],
    buffers: [ids!, updates!, y!],
    params: { count: tokens === 0 ? 0 : partitions * steps, rows, steps, tokens, mask: partitions - 1 },
    workgroups: linearWorkgroups(tokens === 0 ? 0 : partitions * steps, WORKGROUP_SIZE),
    flops: tokens * features,
    bytes: 4 * (3 * tokens * features + tokens),
  });
}
