import type { DecoderConfig } from "./decoder.ts";

/** What models say that read with one half and write with the other. The decoder's sizes are under the names of `DecoderConfig`. */
export interface Seq2SeqConfig extends Omit<DecoderConfig, "attentionDropout" | "normEps" | "numKeyValueHeads"> {
  /** Of the encoder. `numHiddenLayers` and `numAttentionHeads` are the decoder's. */
  readonly numEncoderLayers: number;
  readonly numEncoderAttentionHeads: number;
  readonly padTokenId: number;
  /** What a text begins with. */
  readonly decoderStartTokenId: number;
  /** The last token of a text that became as long as it may. */
  readonly forcedEosTokenId: number | undefined;
}
