import { HeddleError } from "../../errors.ts";
import { defineOp, type Op } from "../../program/op.ts";
import type { Tensor } from "../../program/tensor.ts";
import { asTensor, emitOne, type TensorLike } from "../../program/trace.ts";
import { formatShape, sameShape, type Shape, type TensorType } from "../../program/types.ts";
import { equal, where } from "../elementwise/arithmetic.ts";
import { cast } from "../elementwise/unary.ts";
import { isQuantized, type QuantizedWeight } from "../quantize/weight.ts";
import { halfEmbeddingOp } from "./half.ts";
import { checkIds } from "./ids.ts";
import { referenceEmbedding, referenceScatterAdd } from "./op.reference.ts";
import { onnxEmbedding, onnxScatterAdd } from "./op.onnx.ts";
import { lowerEmbedding } from "./op.wgsl.ts";
import { quantizedEmbeddingOp } from "./quantized.ts";
import { lowerScatterAdd } from "./scatter.wgsl.ts";

export interface EmbeddingAttributes {
  /** What is added to the rows found, as positions and token types are: inputs after ids, that many. Only rewriting makes them, after gradients were taken. */
  addends: number;
  /** The row that gets no gradient. */
  paddingIndex: number | null;
}

const embeddingOp: Op<EmbeddingAttributes> = defineOp<EmbeddingAttributes>({
  name: "embedding",
  infer([table, ids]) {
    checkTable(table!, ids!);
    return [{ dtype: "f32", shape: [...ids!.shape, table!.shape[1]!] }];
  },
  vjp: ({ inputs: [table, ids], gradients: [g], attributes: { paddingIndex } }) => [scatterAdd(paddingIndex === null ? ids! : without(ids!, paddingIndex), g!, table!.shape[0]!), null],
  reference: referenceEmbedding,
  absorb({ attributes: { addends, paddingIndex }, type, consumer, others: [other] }) {
    const fits = consumer.op.name === "add" && other && sameShape(consumer.outputs[0]!.shape, type.shape) && repeatsInside(other.shape, type.shape);
    return fits && addends < 2 ? { attributes: { addends: addends + 1, paddingIndex }, inputs: [other], gone: [] } : null;
  },
  lower: lowerEmbedding,
  onnx: onnxEmbedding,
});

/** The ids, with −1, which is no row, in place of one of them. */
function without(ids: Tensor, index: number): Tensor {
  return cast(where(equal(ids, cast(index, "i32")), -1, cast(ids, "f32")), "i32");
}

/** Throws DTYPE_MISMATCH or SHAPE_MISMATCH for what is no table and numbers of its rows. */
function checkTable(table: TensorType, ids: TensorType): void {
  if (table.dtype !== "f32" && table.dtype !== "f16") throw new HeddleError("DTYPE_MISMATCH", `[embedding] wants an f32 or f16 table, got ${table.dtype}; convert with cast()`);
  checkIds(table.shape, ids);
}

/** Whether a tensor of shape `small` is added to one of shape `large` by going through it again and again: it has the last axes whole, and no more. */
function repeatsInside(small: Shape, large: Shape): boolean {
  const lead = small.findIndex((extent) => extent !== 1);
  const rest = lead < 0 ? [] : small.slice(lead);
  return rest.length > 0 && sameShape(rest, large.slice(large.length - rest.length));
}

const scatterAddOp: Op<{ rows: number }> = defineOp<{ rows: number }>({
  name: "scatterAdd",
  infer([ids, updates], { rows }) {
    if (ids!.dtype !== "i32" || updates!.dtype !== "f32") throw new HeddleError("DTYPE_MISMATCH", `[scatterAdd] wants i32 ids and f32 updates, got ${ids!.dtype} and ${updates!.dtype}; convert with cast()`);
    const features = updates!.shape.at(-1);
    if (features === undefined || !sameShape(updates!.shape.slice(0, -1), ids!.shape)) {
      throw new HeddleError("SHAPE_MISMATCH", `[scatterAdd] ids ${formatShape(ids!.shape)} need updates of shape ${formatShape(ids!.shape).slice(0, -1)}${ids!.shape.length > 0 ? ", " : ""}features], got ${formatShape(updates!.shape)}`);
    }
    if (!Number.isInteger(rows) || rows < 1) throw new HeddleError("INVALID_ARGUMENT", `[scatterAdd] rows must be a whole number of at least 1, got ${rows}`);
    return [{ dtype: "f32", shape: [rows, features] }];
  },
  vjp: ({ inputs: [ids], gradients: [g] }) => [null, embedding(g!, ids!)],
  reference: referenceScatterAdd,
  lower: lowerScatterAdd,
  onnx: onnxScatterAdd,
});

/**
 * Rows of a table by their numbers: y[...] = table[ids[...]], as torch.nn.functional.embedding.
 *
 * Ids outside [0, vocabulary) read the nearest row instead of foreign memory. The GPU cannot report them: whoever turns
 * text or items into ids checks them on the host first. A table in f32 or in fewer bits that is more than one binding (128 MiB
 * on default limits, 87,381 rows of 384 in f32) is read in blocks.
 *
 * @param table f32 [vocabulary, features], or f16 or a quantised weight of that shape, which have no gradient
 * @param ids i32 [...]
 * @param options `paddingIndex`: a row that gets no gradient, as torch's padding_idx
 * @returns f32 [..., features]
 * @throws SHAPE_MISMATCH, DTYPE_MISMATCH
 */
export function embedding(table: TensorLike | QuantizedWeight, ids: TensorLike, { paddingIndex = null }: { paddingIndex?: number | null } = {}): Tensor {
  if (isQuantized(table)) return emitOne(quantizedEmbeddingOp, [table.values, table.scales, ids], { format: table.format, shape: table.shape });
  const weight = asTensor(table);
  if (weight.dtype === "f16") {
    checkTable(weight.type, asTensor(ids).type);
    return emitOne(halfEmbeddingOp, [weight, ids], {});
  }
  return emitOne(embeddingOp, [table, ids], { addends: 0, paddingIndex });
}

/**
 * The sum, for each row, of the updates that carry its number: y[r] = Σ updates[n] over ids[n] = r. It adds in the order
 * of `ids`, so that a repeated run gives the same bits. Ids outside [0, rows) add nothing.
 *
 * @param ids i32 [...]
 * @param updates f32 [..., features]
 * @param rows of the result
 * @returns f32 [rows, features]
 * @throws SHAPE_MISMATCH, DTYPE_MISMATCH, INVALID_ARGUMENT
 */
export function scatterAdd(ids: TensorLike, updates: TensorLike, rows: number): Tensor {
  return emitOne(scatterAddOp, [ids, updates], { rows });
}
