import { matmul, type Tensor, type TensorLike } from "@heddle/kernels";
import type { ModelOutputs } from "../models/outputs.ts";

/** Scores over the vocabulary by the embedding table itself. hidden [..., size], table [vocabulary, size], bias [vocabulary] → logits [..., vocabulary]. */
export function tiedDecoder(hidden: Tensor, table: TensorLike, bias: TensorLike): Required<Pick<ModelOutputs, "logits" | "decoder">> {
  return { logits: matmul(hidden, table, { transposeB: true, bias }), decoder: { hidden, weight: table, bias } };
}
