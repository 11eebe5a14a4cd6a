import { add, cast, cumulativeSum, embedding, equal, mul, sub, type Tensor, type TensorLike } from "@heddle/kernels";
import type { EncoderConfig, RobertaConfig } from "../config/index.ts";
import { unusedPositions } from "../config/roberta.ts";
import type { EncoderInputs } from "../models/inputs.ts";
import type { EncoderOutputs, ModelOutputs } from "../models/outputs.ts";
import type { ForwardMode } from "../nn/forward-mode.ts";
import type { Scope } from "../nn/scope.ts";
import { bertEmbeddings, bertLayers } from "./bert.ts";
import { maskedLM, pooler, sequenceClassification } from "./encoder-heads.ts";

// RoBERTa (Liu et al. 2019, arXiv:1907.11692) and XLM-R (Conneau et al. 2020, arXiv:1911.02116): BERT, trained longer on more
// text, with positions that skip padding.

/** Each token's place among the tokens that are no padding, from padTokenId + 1 on; padding itself is at padTokenId. ids i32 [batch, length] → i32. */
export function positionsPastPadding(inputIds: Tensor, padTokenId: number): Tensor {
  const isToken = sub(1, equal(inputIds, cast(padTokenId, "i32")));
  return cast(add(mul(cumulativeSum(isToken), isToken), padTokenId), "i32");
}

/** The rows of the position table that such positions take, for `bertEmbeddings`. */
export function pastPadding(config: EncoderConfig, inputIds: Tensor) {
  const { maxPositionEmbeddings, padTokenId } = config;
  return { rows: maxPositionEmbeddings + unusedPositions(config), of: (table: TensorLike) => embedding(table, positionsPastPadding(inputIds, padTokenId), { paddingIndex: padTokenId }) };
}

/** Hidden states [batch, length, hidden]: the embeddings' and every layer's. */
export function robertaEncoder(scope: Scope, config: RobertaConfig, inputs: EncoderInputs, mode: ForwardMode): EncoderOutputs {
  const embedded = bertEmbeddings(scope.in("embeddings"), config, inputs, mode, { tokenTypes: config.tokenTypes, positions: pastPadding(config, inputs.inputIds) });
  return bertLayers(scope, config, embedded, inputs.attentionMask, mode);
}

/** Plain hidden states and the pooler's output. */
export function robertaModel(scope: Scope, config: RobertaConfig, inputs: EncoderInputs, mode: ForwardMode): ModelOutputs {
  const encoder = robertaEncoder(scope, config, inputs, mode);
  return { ...encoder, poolerOutput: pooler(scope.in("pooler.dense"), config, encoder.lastHiddenState) };
}

export const robertaForSequenceClassification = (scope: Scope, config: RobertaConfig, inputs: EncoderInputs, mode: ForwardMode): ModelOutputs =>
  sequenceClassification(scope.in("classifier"), config, robertaEncoder(scope.in("roberta"), config, inputs, mode), "tanh", mode);

export function robertaForMaskedLM(scope: Scope, config: RobertaConfig, inputs: EncoderInputs, mode: ForwardMode): ModelOutputs {
  const head = scope.in("lm_head");
  const encoder = robertaEncoder(scope.in("roberta"), config, inputs, mode);
  return maskedLM(config, encoder, { dense: head.in("dense"), norm: head.in("layer_norm"), words: scope.in("roberta.embeddings.word_embeddings"), bias: head }, { activation: "gelu" });
}
