import { defineKernel, linearWorkgroups, type Kernel } from "../../program/kernel.ts";
import { kernelMemo } from "../../program/kernel-memo.ts";
import { partOf } from "../../program/lowering.ts";
import type { LowerContext } from "../../program/op.ts";
import { sizeOf, VIEW_ALIGNMENT } from "../../program/types.ts";
import type { EmbeddingAttributes } from "./op.ts";

const WORKGROUP_SIZE = 32;

type Width = 1 | 4;

/** Rows by their ids, with up to two tensors added that repeat every `period` elements. A table is bound block by block where it is more than a binding holds: each writes the rows that it has. */
function gatherKernel(width: Width, addends: number): Kernel {
  const type = width === 4 ? "vec4f" : "f32";
  const names = Array.from({ length: addends }, (_, i) => `addend${i}`);
  return defineKernel({
    label: `embedding/x${width}${"+add".repeat(addends)}`,
    reads: { table: `array<${type}>`, ids: "array<i32>", ...Object.fromEntries(names.map((name) => [name, `array<${type}>`])) },
    writes: { y: `array<${type}>` },
    params: { rows: "u32", steps: "u32", first: "u32", held: "u32", ...Object.fromEntries(names.map((_, i) => [`period${i}`, "u32" as const])) },
    workgroupSize: [WORKGROUP_SIZE],
    linear: true,
    body: `
  let row = u32(clamp(ids[index / p.steps], 0, i32(p.rows) - 1)) - p.first;
  if (row >= p.held) { return; }
  y[index] = table[row * p.steps + index % p.steps]${names.map((name, i) => ` + ${name}[index % p.period${i}]`).join("")};`,
  });
}

const kernelOnce = kernelMemo();

export function lowerEmbedding({ attributes: { addends }, adapter, inputs: [table, ids, ...others], outputs: [y], dispatch }: LowerContext<EmbeddingAttributes>): void {
  const [rows, features] = table!.type.shape as [number, number];
  const width: Width = features % 4 === 0 ? 4 : 1;
  const count = sizeOf(y!.type.shape) / width;
  // Blocks begin where a binding may; a table of which no block fits goes whole, and the planner says what is wrong.
  const block = Math.floor(adapter.maxStorageBufferBindingSize / (4 * Math.max(1, features)) / VIEW_ALIGNMENT) * VIEW_ALIGNMENT || rows;
  const periods = Object.fromEntries(others.map(({ type }, i) => [`period${i}`, sizeOf(type.shape) / width]));
  for (let first = 0; first < rows; first += block) {
    const held = Math.min(block, rows - first);
    dispatch({
      kernel: kernelOnce([width, addends], () => gatherKernel(width, addends)),
      buffers: [held === rows ? table! : partOf(table!, first * features, { dtype: "f32", shape: [held, features] }), ids!, ...others, y!],
      params: { count, rows, steps: features / width, first, held, ...periods },
      workgroups: linearWorkgroups(count, WORKGROUP_SIZE),
      flops: addends * width * count,
      bytes: 4 * ((2 + addends) * width * count + sizeOf(ids!.type.shape)),
    });
  }
}
