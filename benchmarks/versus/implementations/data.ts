import type { EncoderShape, MatmulShape } from "./implementation.ts";

/** MiniLM's shape (Wang et al. 2020): 22 M parameters. */
export const minilm = { modelType: "bert", vocabSize: 30522, hiddenSize: 384, numHiddenLayers: 6, numAttentionHeads: 12, intermediateSize: 1536, maxPositionEmbeddings: 512 } as const;

/** Token ids that are the same on every side; never 0, the padding, whose row transformers' BERT does not train. */
export const tokenIds = (size: number, vocabSize: number) => Int32Array.from({ length: size }, (_, i) => 1 + ((i * 7919) % (vocabSize - 1)));

/** What an encoder is given: ids and a mask of ones, [batch, length]. */
export function tokens([batch, length]: EncoderShape): { ids: Int32Array; mask: Int32Array; dims: number[] } {
  return { ids: tokenIds(batch * length, minilm.vocabSize), mask: new Int32Array(batch * length).fill(1), dims: [batch, length] };
}

/** Both factors, uniform in [-0.5, 0.5): no two rows or columns are alike, so that a mixed-up index shows. */
export function factors([m, k, n]: MatmulShape): { a: Float32Array; b: Float32Array } {
  return { a: uniform(m * k, 0x9e3779b1), b: uniform(k * n, 0x85ebca6b) };
}

/** Weyl's sequence: multiples of an odd number near an irrational share of 2³². */
function uniform(size: number, step: number): Float32Array {
  return Float32Array.from({ length: size }, (_, i) => (Math.imul(i + 1, step) >>> 0) / 2 ** 32 - 0.5);
}
