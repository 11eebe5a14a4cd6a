import { HeddleError } from "../../errors.ts";
import type { Op } from "../../program/op.ts";
import type { Tensor } from "../../program/tensor.ts";
import { asTensor, emitOne, type TensorLike } from "../../program/trace.ts";
import { formatShape } from "../../program/types.ts";
import { asLengths } from "../kvcache/lengths.ts";
import { onnxRotaryEmbedding } from "./op.onnx.ts";
import { referenceRotaryEmbedding } from "./op.reference.ts";
import { lowerRotaryEmbedding } from "./op.wgsl.ts";
import { checkRotaryTable } from "./table.ts";

export interface RotaryAttributes {
  interleaved: boolean;
  /** Position of token 0 where there are no lengths. */
  begin: number;
  /** True: turned back, by the gradient. */
  inverse: boolean;
}

/** Inputs x [B, T, H, D], table [positions, dims], lengths [B]?; one output like x. */
const rotaryOp: Op<RotaryAttributes> = {
  name: "rotaryEmbedding",
  infer: ([x]) => [x!],
  // The transpose of a rotation turns back; a factor in the table is in both.
  vjp: ({ inputs: [, table, lengths], gradients: [g], attributes }) => [emitOne(rotaryOp, [g!, table!, ...(lengths ? [lengths] : [])], { ...attributes, inverse: !attributes.inverse }), null, ...(lengths ? [null] : [])],
  reference: referenceRotaryEmbedding,
  lower: lowerRotaryEmbedding,
  onnx: onnxRotaryEmbedding,
};

export interface RotaryOptions {
  /**
   * Which elements make a pair: false for i and i + dims / 2, as Llama, Mistral and GPT-NeoX have it; true for 2i and 2i + 1, as
   * GPT-J and RoFormer.
   */
  interleaved?: boolean;
}

export interface RotaryEmbeddingOptions extends RotaryOptions {
  /** Position of token 0. Default 0. */
  begin?: number;
  /** i32 or u32 [B]: the last token of row b stands at lengths[b] − 1, in place of `begin`. Positions outside the table are its nearest. */
  lengths?: TensorLike;
}

/**
 * Rotary position embedding (Su et al. 2021, "RoFormer", equation 34): pairs of elements are turned by an angle that grows with the
 * position. Elements past the table's dims stay as they are. Differentiable in x.
 *
 * @param x f32 [B, T, H, D]
 * @param table f32 [positions, dims], from `rotaryTable`
 * @returns f32 [B, T, H, D]
 * @throws SHAPE_MISMATCH, DTYPE_MISMATCH, INVALID_ARGUMENT
 */
export function rotaryEmbedding(x: TensorLike, table: TensorLike, { interleaved = false, begin = 0, lengths }: RotaryEmbeddingOptions = {}): Tensor {
  const [tensor, angles] = [asTensor(x), asTensor(table)];
  if (tensor.dtype !== "f32") throw new HeddleError("DTYPE_MISMATCH", `[rotaryEmbedding] wants f32, got ${tensor.dtype}; convert with cast()`);
  if (tensor.rank !== 4) throw new HeddleError("SHAPE_MISMATCH", `[rotaryEmbedding] x must be [batch, length, heads, headDim], got ${formatShape(tensor.shape)}; split the heads with reshape()`);
  if (!Number.isInteger(begin)) throw new HeddleError("INVALID_ARGUMENT", `[rotaryEmbedding] begin must be a whole number, got ${begin}`);
  const counts = lengths === undefined ? undefined : asLengths(lengths, tensor.shape[0]!, "rotaryEmbedding");
  checkRotaryTable("rotaryEmbedding", angles, tensor.shape[3]!, counts ? 1 : begin + tensor.shape[1]!);
  return emitOne(rotaryOp, [tensor, angles, ...(counts ? [counts] : [])], { interleaved, begin: counts ? 0 : begin, inverse: false });
}
