import { broadcastTo, cast, constant, equal, max, mul, sub, type Tensor } from "@heddle/kernels";
import type { DecoderConfig } from "../config/decoder.ts";
import type { DecoderInputs } from "../models/inputs.ts";
import type { EncoderOutputs, ModelOutputs } from "../models/outputs.ts";
import { dropout, type ForwardMode } from "../nn/forward-mode.ts";
import { linear } from "../nn/linear.ts";
import { places } from "../nn/position-ids.ts";
import { normal, type Scope } from "../nn/scope.ts";
import { tokenAt } from "../nn/token-at.ts";
import { vocabularyScores } from "../nn/vocabulary-scores.ts";
import type { DecoderModel } from "./decoder.ts";

// What a decoder's hidden states are for.

interface CausalLMNames {
  /** Scope of the word embeddings, which score tokens where the two are tied. */
  readonly words: string;
  /** Scope of the scores' own matrix where they are not. */
  readonly head: string;
}

/** Scores of the next token at each place. logits [batch, length, vocabulary]. */
export function causalLM(scope: Scope, config: DecoderConfig, decoder: EncoderOutputs, { words, head }: CausalLMNames, softCap?: number): ModelOutputs {
  const { vocabSize, hiddenSize, tieWordEmbeddings, initializerRange } = config;
  const weight = scope.in(tieWordEmbeddings ? words : head).matrix("weight", [vocabSize, hiddenSize], normal(initializerRange));
  return { ...decoder, ...vocabularyScores({ hidden: decoder.lastHiddenState, weight, ...(softCap !== undefined && { softCap }) }) };
}

/** Scores of each row's last token that is not padding: `score`. logits [batch, labels]. */
export function lastTokenClassification(scope: Scope, config: DecoderConfig, decoder: EncoderOutputs, inputs: DecoderInputs): ModelOutputs {
  const pooled = lastToken(decoder.lastHiddenState, inputs, config.padTokenId);
  return { ...decoder, logits: linear(scope.in("score"), pooled, { outputSize: config.numLabels, initializerRange: config.initializerRange, bias: false }) };
}

/**
 * [batch, length, hidden] → [batch, hidden]. Padding is what has the padding token's id, as in transformers; where config.json
 * names none, what the mask leaves out.
 */
export function lastToken(hidden: Tensor, { inputIds, attentionMask }: DecoderInputs, padTokenId: number | undefined): Tensor {
  const [batch, length] = hidden.shape as [number, number];
  const isToken = padTokenId !== undefined ? sub(1, equal(cast(inputIds, "f32"), padTokenId)) : attentionMask ? cast(attentionMask, "f32") : broadcastTo(constant(1), [batch, length]);
  return tokenAt(hidden, max(mul(places(length), isToken), { axes: [1], keepDims: true }));
}

const CLASSIFIER_DROPOUT = 0.1;

/** `score` of every token. logits [batch, length, labels]. */
function tokenClassification(scope: Scope, config: DecoderConfig, decoder: EncoderOutputs, mode: ForwardMode): ModelOutputs {
  const hidden = dropout(decoder.lastHiddenState, CLASSIFIER_DROPOUT, mode);
  return { ...decoder, logits: linear(scope.in("score"), hidden, { outputSize: config.numLabels, initializerRange: config.initializerRange }) };
}

/** The heads of Llama and its descendants over the model under `model`. */
export const decoderHeads = <C extends DecoderConfig>(model: DecoderModel<C>, softCap: (config: C) => number | undefined = () => undefined) => ({
  none: model,
  "causal-lm": (scope: Scope, config: C, inputs: DecoderInputs, mode: ForwardMode): ModelOutputs =>
    causalLM(scope, config, model(scope.in("model"), config, inputs, mode), { words: "model.embed_tokens", head: "lm_head" }, softCap(config)),
  "sequence-classification": (scope: Scope, config: C, inputs: DecoderInputs, mode: ForwardMode): ModelOutputs =>
    lastTokenClassification(scope, config, model(scope.in("model"), config, inputs, mode), inputs),
  "token-classification": (scope: Scope, config: C, inputs: DecoderInputs, mode: ForwardMode): ModelOutputs =>
    tokenClassification(scope, config, model(scope.in("model"), config, inputs, mode), mode),
});
