import { add, type Tensor } from "@heddle/kernels";
import type { MarianConfig } from "../config/bart.ts";
import type { Seq2SeqInputs } from "../models/inputs.ts";
import type { EncoderOutputs, ModelOutputs } from "../models/outputs.ts";
import type { CrossSource } from "../nn/cross-attention.ts";
import { dropout, type ForwardMode } from "../nn/forward-mode.ts";
import type { KeyValueCache } from "../nn/key-value-cache.ts";
import { causalPositions } from "../nn/position-ids.ts";
import type { Scope } from "../nn/scope.ts";
import { sinusoids } from "../nn/sinusoids.ts";
import { vocabularyScores } from "../nn/vocabulary-scores.ts";
import { bartDecoderLayers, bartEncoderLayers, bartScores, crossKeysAndValues, sharedWords } from "./bart.ts";

// Marian (Junczys-Dowmunt et al. 2018, arXiv:1804.00344), of the OPUS-MT translators: BART's layers, with positions that are
// sines and no norm of the embeddings.

function embed(scope: Scope, config: MarianConfig, ids: Tensor, mode: ForwardMode, cache?: KeyValueCache): Tensor {
  const positions = causalPositions(sinusoids(config.maxPositionEmbeddings, config.hiddenSize), ids.shape[1]!, cache);
  return dropout(add(sharedWords(scope.in("shared"), config, ids), positions), config.dropout, mode);
}

/** inputIds [batch, source] → hidden states [batch, source, hidden]. */
export function marianEncode(scope: Scope, config: MarianConfig, { inputIds, attentionMask }: Omit<Seq2SeqInputs, "decoderInputIds">, mode: ForwardMode): EncoderOutputs {
  return bartEncoderLayers(scope.in("encoder"), config, embed(scope, config, inputIds!, mode), attentionMask, mode);
}

/** decoderInputIds [batch, length], a text or what comes after a cache's tokens → hidden states [batch, length, hidden]. */
export function marianDecode(scope: Scope, config: MarianConfig, decoderInputIds: Tensor, source: CrossSource, mode: ForwardMode, cache?: KeyValueCache): EncoderOutputs {
  return bartDecoderLayers(scope.in("decoder"), config, embed(scope, config, decoderInputIds, mode, cache), source, mode, cache);
}

/** Both halves. The hidden states are the decoder's. */
export function marianModel(scope: Scope, config: MarianConfig, { decoderInputIds, ...inputs }: Seq2SeqInputs, mode: ForwardMode): ModelOutputs {
  const encoder = marianEncode(scope, config, inputs, mode);
  const source = { layers: crossKeysAndValues(scope.in("decoder"), config, encoder.lastHiddenState), mask: inputs.attentionMask };
  return { ...marianDecode(scope, config, decoderInputIds, source, mode), encoder };
}

export function marianMTModel(scope: Scope, config: MarianConfig, inputs: Seq2SeqInputs, mode: ForwardMode): ModelOutputs {
  const outputs = marianModel(scope.in("model"), config, inputs, mode);
  return { ...outputs, ...vocabularyScores(bartScores(scope, config, outputs.lastHiddenState)) };
}
