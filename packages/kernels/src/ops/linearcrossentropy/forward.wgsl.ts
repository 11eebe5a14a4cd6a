import { defineKernel, linearWorkgroups } from "../../program/kernel.ts";
import type { BufferRef } from "../../program/lowering.ts";
import type { LowerContext } from "../../program/op.ts";
import { lowerLosses, lowerParts } from "../crossentropy/forward.wgsl.ts";
import { mergeParts } from "../rowwise/exponentials.wgsl.ts";
import { chunkedProducts, type ChunkColumns } from "./chunks.ts";
import type { LinearCrossEntropyAttributes } from "./op.ts";

const WORKGROUP_SIZE = 32;

/** Keeps of a chunk of logits what the loss needs: what was found so far about each row, and its label's logit where that is here. */
const foldKernel = defineKernel({
  label: "linearCrossEntropy/fold",
  reads: { partial: "array<vec4f>", logits: "array<f32>", labels: "array<i32>" },
  writes: { found: "array<vec4f>", labelLogits: "array<f32>" },
  params: { chunks: "u32", first: "u32", columns: "u32", classes: "u32" },
  workgroupSize: [WORKGROUP_SIZE],
  linear: true,
  module: mergeParts,
  body: `
  var merged = partial[index * p.chunks];
  for (var chunk = 1u; chunk < p.chunks; chunk++) { merged = mergeParts(merged, partial[index * p.chunks + chunk]); }
  if (p.first > 0u) { merged = mergeParts(found[index], merged); }
  found[index] = merged;
  // A label before this chunk is a huge number here.
  let column = u32(clamp(labels[index], 0, i32(p.classes) - 1)) - p.first;
  if (column < p.columns) { labelLogits[index] = logits[index * p.columns + column]; }`,
});

export function lowerLinearCrossEntropy(context: LowerContext<LinearCrossEntropyAttributes>, columns: ChunkColumns): void {
  const { attributes, scratch, dispatch } = context;
  const [states, weight, labels, bias] = context.inputs as [BufferRef, BufferRef, BufferRef, BufferRef | undefined];
  const classes = weight.type.shape[0]!;
  const { hidden, chunks, step } = chunkedProducts(context, states, weight, bias, columns);
  const rows = hidden.type.shape[0]!;
  const found = scratch({ dtype: "f32", shape: [rows, 4] });
  const labelLogits = scratch({ dtype: "f32", shape: [rows] });
  for (const { first, count, logits, multiply } of chunks) {
    multiply();
    const parts = lowerParts(step(attributes, [], []), logits);
    dispatch({
      kernel: foldKernel,
      buffers: [parts.partial, logits, labels, found, labelLogits],
      params: { count: rows, chunks: parts.chunks, first, columns: count, classes },
      workgroups: linearWorkgroups(rows, WORKGROUP_SIZE),
      flops: 10 * rows * parts.chunks,
      bytes: 4 * rows * (4 * parts.chunks + 10),
    });
  }
  lowerLosses(context, classes, { partial: found, chunks: 1 }, { logits: labelLogits, rowStep: 1, classStep: 0 }, labels);
}
