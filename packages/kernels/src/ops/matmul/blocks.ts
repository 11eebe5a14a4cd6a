import { partOf, type BufferRef } from "../../program/lowering.ts";
import type { LowerContext } from "../../program/op.ts";
import { dataBytes, sizeOf, storageBytes } from "../../program/types.ts";
import { registerKernel } from "./choose.ts";
import { NO_EPILOGUE } from "./epilogue.wgsl.ts";
import type { MatmulShape, ProductAttributes } from "./op.ts";
import { product, sumOfParts, type Operands, type Strides } from "./op.wgsl.ts";

/** Blocks begin on multiples of so many elements: on every adapter's alignment of bindings, and on a vec4. */
const ALIGNED = 64;
/** The same where there are half floats among them, as weights or as scales of weights. */
export const ALIGNED_HALVES = 128;

/**
 * A product of two matrices of which some are more than the adapter binds in one piece, such as logits over a large
 * vocabulary: by rows of y, by columns of y where B is stored [N, K], or by parts of k that add up. False where all fit, and
 * where blocks do not help. Blocks that are not whole rows are reached through strides, which a register tile takes.
 */
export function multiplyInBlocks(context: LowerContext<ProductAttributes>, shape: MatmulShape, operands: Operands): boolean {
  const { adapter, dispatch, scratch } = context;
  const maxBytes = adapter.maxStorageBufferBindingSize;
  const tooLarge = (ref: BufferRef | undefined) => ref !== undefined && storageBytes(ref.type) > maxBytes;
  const { a, b, format, scales, bias, extra, outputs, epilogue } = operands;
  const { m, n, k, transposeA, transposeB } = shape;
  const aligned = format === "f32" ? ALIGNED : ALIGNED_HALVES;
  if (shape.batches !== 1 || ![a, b, scales, extra, ...outputs].some(tooLarge)) return false;
  const kernel = registerKernel(adapter, m);
  const multiply = (part: MatmulShape, own: Operands, strides: Strides) => dispatch(product(kernel, part, own, Math.max(4, Math.ceil(part.k / 4) * 4), 1, strides));

  if ([...outputs, extra].some(tooLarge) || (!transposeA && tooLarge(a))) {
    const blocks = blocksOf(m, Math.max(n, transposeA ? 0 : k), maxBytes);
    if (!blocks) return false;
    for (const { first, count } of blocks) {
      const rows = (ref: BufferRef) => partOf(ref, first * n, { dtype: "f32", shape: [count, n] });
      const part = { ...operands, a: transposeA ? from(a, first) : partOf(a, first * k, { dtype: "f32", shape: [count, k] }), extra: extra && rows(extra), outputs: outputs.map(rows) };
      // What is left may need blocks of B; A by columns cannot be cut twice.
      if (transposeA) multiply({ ...shape, m: count }, part, { stepA: m });
      else if (!multiplyInBlocks(context, { ...shape, m: count }, part)) multiply({ ...shape, m: count }, part, {});
    }
    return true;
  }
  if (transposeB && tooLarge(b)) {
    const blocks = blocksOf(n, dataBytes(b.type) / n / 4, maxBytes, aligned);
    for (const { first, count } of blocks ?? []) {
      const rows = (ref: BufferRef) => partOf(ref, (first * sizeOf(ref.type.shape)) / n, { dtype: ref.type.dtype, shape: [count, sizeOf(ref.type.shape) / n] });
      const part = { a, b: rows(b), format, ...(scales && { scales: rows(scales) }), bias: bias && from(bias, first), extra: extra && from(extra, first), outputs: outputs.map((y) => from(y, first)), epilogue };
      multiply({ ...shape, n: count }, part, { rowY: n });
    }
    return blocks !== null;
  }
  const blocks = blocksOf(k, Math.max(transposeB ? 0 : n, transposeA ? m : 0), maxBytes, aligned);
  if (!blocks) return false;
  let sum: BufferRef | undefined;
  for (const { first, count } of blocks) {
    const next = scratch({ dtype: "f32", shape: [m, n] });
    const part = {
      a: transposeA ? partOf(a, first * m, { dtype: "f32", shape: [count, m] }) : from(a, first),
      b: transposeB ? from(b, first) : partOf(b, first * n, { dtype: b.type.dtype, shape: [count, n] }),
      format,
      bias: undefined,
      extra: sum,
      outputs: [next],
      epilogue: { ...NO_EPILOGUE, extra: sum ? ({ kind: "residual" } as const) : null },
    };
    multiply({ ...shape, k: count }, part, { ...(!transposeA && { rowA: k }), ...(transposeB && { columnB: k }) });
    sum = next;
  }
  dispatch(sumOfParts(shape, sum!, 1, operands));
  return true;
}

/** All of `ref` from element `first` on, as a binding: what lies between the columns of a block is there, and not touched. */
const from = (ref: BufferRef, first: number): BufferRef => partOf(ref, first, { dtype: ref.type.dtype, shape: [sizeOf(ref.type.shape) - first] });

/** `extent` in blocks of which `elements` each stay within a binding; null where the smallest block does not. */
function blocksOf(extent: number, elements: number, maxBytes: number, aligned = ALIGNED): { first: number; count: number }[] | null {
  const most = Math.floor(maxBytes / (4 * elements) / aligned) * aligned;
  if (most === 0) return null;
  return Array.from({ length: Math.ceil(extent / most) }, (_, i) => ({ first: i * most, count: Math.min(most, extent - i * most) }));
}
