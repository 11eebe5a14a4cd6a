import { mul, tanh, type Tensor, type TensorLike } from "@heddle/kernels";
import type { Decoder } from "../models/outputs.ts";
import { product } from "./product.ts";

/** Scores over the vocabulary, weight · h + bias, with what they come from. hidden [..., size] → logits [..., vocabulary]. */
export function vocabularyScores(decoder: Decoder): { logits: Tensor; decoder: Decoder } {
  return { logits: scoresOf(decoder, decoder.hidden), decoder };
}

/** The scores of other hidden states, such as of the last token alone. */
export function scoresOf({ weight, bias, softCap }: Decoder, hidden: TensorLike): Tensor {
  const logits = product(hidden, weight, bias === undefined ? {} : { bias });
  return softCap === undefined ? logits : mul(tanh(mul(logits, 1 / softCap)), softCap);
}
