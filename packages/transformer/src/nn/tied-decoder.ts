import { matmul, type Tensor, type TensorLike } from "@heddle/kernels";

/** Scores over the vocabulary by the embedding table itself. hidden [..., size], table [vocabulary, size], bias [vocabulary] → [..., vocabulary]. */
export function tiedDecoder(hidden: Tensor, table: TensorLike, bias: TensorLike): Tensor {
  return matmul(hidden, table, { transposeB: true, bias });
}
