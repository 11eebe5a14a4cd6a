import { HeddleError } from "@heddle/kernels";
import type { Labels } from "./labels.ts";
import type { HiddenAct } from "./schema.ts";

/** What every bidirectional encoder's configuration says, under one set of names. */
export interface EncoderConfig extends Labels {
  readonly modelType: string;
  readonly architectures: readonly string[];
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly intermediateSize: number;
  readonly hiddenAct: HiddenAct;
  /** The longest input in tokens. */
  readonly maxPositionEmbeddings: number;
  /** 0 where the family has no token types. */
  readonly typeVocabSize: number;
  readonly layerNormEps: number;
  readonly hiddenDropoutProb: number;
  readonly attentionProbsDropoutProb: number;
  /** undefined: as `hiddenDropoutProb`. */
  readonly classifierDropout: number | undefined;
  readonly initializerRange: number;
  readonly padTokenId: number;
  /** config.json as it was read; keys that Heddle does not know are written back unchanged. */
  readonly raw: Readonly<Record<string, unknown>>;
}

/** Rules that span several keys. `keys` are the family's own names for them, for the message. */
export function checkEncoder(config: EncoderConfig, keys: { hiddenSize: string; numAttentionHeads: string }): void {
  const { hiddenSize, numAttentionHeads, padTokenId, vocabSize } = config;
  if (hiddenSize % numAttentionHeads !== 0) {
    throw new HeddleError("CONFIG_INVALID", `[config.json] ${keys.hiddenSize} ${hiddenSize} is not divisible by ${keys.numAttentionHeads} ${numAttentionHeads}: choose a multiple, e.g. ${numAttentionHeads * Math.ceil(hiddenSize / numAttentionHeads)}`);
  }
  if (padTokenId >= vocabSize) {
    throw new HeddleError("CONFIG_INVALID", `[config.json] pad_token_id ${padTokenId} is not below vocab_size ${vocabSize}: set it to the tokenizer's [PAD] id`);
  }
}
