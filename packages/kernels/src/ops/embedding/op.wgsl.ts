import { defineKernel, linearWorkgroups, type Kernel } from "../../program/kernel.ts";
import type { LowerContext } from "../../program/op.ts";
import { sizeOf } from "../../program/types.ts";

const WORKGROUP_SIZE = 32;

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

const kernels = { 1: gatherKernel(1), 4: gatherKernel(4) };

export function lowerEmbedding({ inputs: [table, ids], outputs: [y], dispatch }: LowerContext<object>): void {
  const [rows, features] = table!.type.shape as [number, number];
  const width: Width = features % 4 === 0 ? 4 : 1;
  const count = sizeOf(y!.type.shape) / width;
  dispatch({
    kernel: kernels[width],
    buffers: [table!, ids!, y!],
    params: { count, rows, steps: features / width },
    workgroups: linearWorkgroups(count, WORKGROUP_SIZE),
    flops: 0,
    bytes: 4 * (2 * width * count + sizeOf(ids!.type.shape)),
  });
}
