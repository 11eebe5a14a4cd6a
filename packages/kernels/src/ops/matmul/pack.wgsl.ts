import { defineKernel } from "../../program/kernel.ts";

export const PACK_WORKGROUP_SIZE = 32;

/**
 * Copies matrices [batches, rows, columns] of any strides into dense ones [batches, outRows, outColumns], zeros past the
 * edges: it transposes, pads and cuts. On CPUs it spares the compiling of one more tiled kernel for each layout, and each
 * takes a second there. A lane copies a row of four.
 */
export const packKernel = defineKernel({
  label: "matmul/pack/f32",
  reads: { x: "array<f32>" },
  writes: { y: "array<f32>" },
  params: { rows: "u32", columns: "u32", rowStride: "u32", columnStride: "u32", batchStride: "u32", outRows: "u32", outColumns: "u32", groups: "u32" },
  workgroupSize: [PACK_WORKGROUP_SIZE],
  linear: true,
  body: `
  // Neighbouring lanes take neighbouring rows: where columns are far apart in x, rows are next to each other.
  let row = index % p.outRows;
  let group = (index / p.outRows) % p.groups;
  let batch = index / (p.outRows * p.groups);
  let source = batch * p.batchStride + min(row, max(p.rows, 1u) - 1u) * p.rowStride;
  let destination = (batch * p.outRows + row) * p.outColumns;
  for (var column = group * 4u; column < min(group * 4u + 4u, p.outColumns); column++) {
    let inside = row < p.rows && column < p.columns;
    let value = x[source + min(column, max(p.columns, 1u) - 1u) * p.columnStride];
    y[destination + column] = select(0.0, value, inside);
  }`,
});
