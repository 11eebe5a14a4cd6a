import { add, attention, broadcastTo, cast, concat, constant, equal, max, mul, reshape, slice, tanh, type Tensor, type TensorLike } from "@heddle/kernels";
import type { BartConfig, BartLikeConfig } from "../config/bart.ts";
import type { EncoderInputs, Seq2SeqInputs } from "../models/inputs.ts";
import type { Decoder, EncoderOutputs, ModelOutputs } from "../models/outputs.ts";
import { causalAttention, type CausalPlace } from "../nn/causal-attention.ts";
import { crossAttention, type CrossSource, type KeysAndValues } from "../nn/cross-attention.ts";
import { embedding } from "../nn/embedding.ts";
import { dropout, type ForwardMode } from "../nn/forward-mode.ts";
import { mergeHeads, splitHeads } from "../nn/heads.ts";
import type { KeyValueCache } from "../nn/key-value-cache.ts";
import { layerNorm } from "../nn/layer-norm.ts";
import { linear } from "../nn/linear.ts";
import { causalPositions, places } from "../nn/position-ids.ts";
import { normal, zeros, type Scope } from "../nn/scope.ts";
import { tokenAt } from "../nn/token-at.ts";
import { vocabularyScores } from "../nn/vocabulary-scores.ts";
import { cacheOf } from "./decoder.ts";

// BART (Lewis et al. 2019, arXiv:1910.13461): the Transformer of Vaswani et al. 2017 with learned positions and a norm of the
// embeddings. Marian has the same layers.

export const LAYER_NORM_EPS = 1e-5;
/** Rows of the position table that no position uses. */
const POSITION_OFFSET = 2;

/** q_proj, k_proj or v_proj, by heads. */
export function project(scope: Scope, name: string, x: Tensor, heads: number, { hiddenSize: outputSize, initializerRange }: BartLikeConfig, bias = true): Tensor {
  return splitHeads(linear(scope.in(name), x, { outputSize, initializerRange, bias }), heads);
}

export const output = (scope: Scope, context: Tensor, { hiddenSize: outputSize, initializerRange }: BartLikeConfig): Tensor => linear(scope.in("out_proj"), context, { outputSize, initializerRange });

/** Each token sees all. keyBias: whether keys have one, which changes no probability. x [batch, length, hidden] → same. */
export function encoderAttention(scope: Scope, config: BartLikeConfig, x: Tensor, mask: Tensor | undefined, mode: ForwardMode, keyBias = true): Tensor {
  const { numEncoderAttentionHeads: heads, attentionDropout: probability } = config;
  const context = attention(project(scope, "q_proj", x, heads, config), project(scope, "k_proj", x, heads, config, keyBias), project(scope, "v_proj", x, heads, config), {
    ...(mask && { mask }),
    ...(mode.dropoutKey && probability > 0 && { dropout: { probability, key: mode.dropoutKey } }),
  });
  return output(scope, mergeHeads(context), config);
}

export function decoderAttention(scope: Scope, config: BartLikeConfig, x: Tensor, place: CausalPlace, mode: ForwardMode, keyBias = true): Tensor {
  const { numAttentionHeads: heads, attentionDropout } = config;
  const context = causalAttention(project(scope, "q_proj", x, heads, config), project(scope, "k_proj", x, heads, config, keyBias), project(scope, "v_proj", x, heads, config), place, mode, { dropout: attentionDropout });
  return output(scope, context, config);
}

export function sourceAttention(scope: Scope, config: BartLikeConfig, x: Tensor, source: KeysAndValues, mask: TensorLike | undefined, mode: ForwardMode): Tensor {
  const q = project(scope, "q_proj", x, config.numAttentionHeads, config);
  return output(scope, crossAttention(q, source, mask, mode, { dropout: config.attentionDropout }), config);
}

/** fc1 and fc2. x [batch, length, hidden] → same. */
export function feedForward(scope: Scope, config: BartLikeConfig, x: Tensor, intermediateSize: number, mode: ForwardMode): Tensor {
  const { hiddenSize, hiddenAct, initializerRange, activationDropout } = config;
  const expanded = linear(scope.in("fc1"), x, { outputSize: intermediateSize, activation: hiddenAct, initializerRange });
  return linear(scope.in("fc2"), dropout(expanded, activationDropout, mode), { outputSize: hiddenSize, initializerRange });
}

/** Post-norm: LayerNorm(x + sublayer(x)). */
function residual(scope: Scope, config: BartLikeConfig, x: Tensor, sublayer: Tensor, norm: string, mode: ForwardMode): Tensor {
  return layerNorm(scope.in(norm), add(x, dropout(sublayer, config.dropout, mode)), LAYER_NORM_EPS);
}

/** x [batch, source, hidden] → the states after each layer. */
export function bartEncoderLayers(scope: Scope, config: BartLikeConfig, embedded: Tensor, mask: Tensor | undefined, mode: ForwardMode): EncoderOutputs {
  const hiddenStates = [embedded];
  for (let i = 0; i < config.numEncoderLayers; i++) {
    const layer = scope.in("layers").in(i);
    const x = hiddenStates.at(-1)!;
    const attended = residual(layer, config, x, encoderAttention(layer.in("self_attn"), config, x, mask, mode), "self_attn_layer_norm", mode);
    hiddenStates.push(residual(layer, config, attended, feedForward(layer, config, attended, config.encoderIntermediateSize, mode), "final_layer_norm", mode));
  }
  return { hiddenStates, lastHiddenState: hiddenStates.at(-1)! };
}

/** x [batch, length, hidden] → the states after each layer. */
export function bartDecoderLayers(scope: Scope, config: BartLikeConfig, embedded: Tensor, source: CrossSource, mode: ForwardMode, cache: KeyValueCache | undefined): EncoderOutputs {
  const hiddenStates = [embedded];
  for (let i = 0; i < config.numHiddenLayers; i++) {
    const layer = scope.in("layers").in(i);
    const x = hiddenStates.at(-1)!;
    const attended = residual(layer, config, x, decoderAttention(layer.in("self_attn"), config, x, { cache: cacheOf(cache, i) }, mode), "self_attn_layer_norm", mode);
    const informed = residual(layer, config, attended, sourceAttention(layer.in("encoder_attn"), config, attended, source.layers[i]!, source.mask, mode), "encoder_attn_layer_norm", mode);
    hiddenStates.push(residual(layer, config, informed, feedForward(layer, config, informed, config.intermediateSize, mode), "final_layer_norm", mode));
  }
  return { hiddenStates, lastHiddenState: hiddenStates.at(-1)! };
}

/** What each layer of the decoder under `decoder` sees of the encoder's states. */
export function crossKeysAndValues(decoder: Scope, config: BartLikeConfig, encoded: Tensor, keyBias = true): KeysAndValues[] {
  return Array.from({ length: config.numHiddenLayers }, (_, i) => {
    const scope = decoder.in("layers").in(i).in("encoder_attn");
    return { keys: project(scope, "k_proj", encoded, config.numAttentionHeads, config, keyBias), values: project(scope, "v_proj", encoded, config.numAttentionHeads, config) };
  });
}

/** Embeddings of both halves, [batch, length, hidden]. */
export function sharedWords(scope: Scope, { vocabSize: count, hiddenSize: size, initializerRange, scaleEmbedding, padTokenId }: BartLikeConfig, ids: Tensor): Tensor {
  const words = embedding(scope, ids, { count, size, initializerRange, paddingIndex: padTokenId });
  return scaleEmbedding ? mul(words, Math.sqrt(size)) : words;
}

function embed(scope: Scope, half: string, config: BartConfig, ids: Tensor, mode: ForwardMode, cache?: KeyValueCache): Tensor {
  const { maxPositionEmbeddings, hiddenSize, initializerRange } = config;
  const own = scope.in(half);
  const table = own.in("embed_positions").parameter("weight", [maxPositionEmbeddings + POSITION_OFFSET, hiddenSize], normal(initializerRange));
  const placed = add(sharedWords(scope.in("shared"), config, ids), causalPositions(table, ids.shape[1]!, cache, POSITION_OFFSET));
  return dropout(layerNorm(own.in("layernorm_embedding"), placed, LAYER_NORM_EPS), config.dropout, mode);
}

/** inputIds [batch, source] → hidden states [batch, source, hidden]. */
export function bartEncode(scope: Scope, config: BartConfig, { inputIds, attentionMask }: Omit<Seq2SeqInputs, "decoderInputIds">, mode: ForwardMode): EncoderOutputs {
  return bartEncoderLayers(scope.in("encoder"), config, embed(scope, "encoder", config, inputIds!, mode), attentionMask, mode);
}

/** decoderInputIds [batch, length], a text or what comes after a cache's tokens → hidden states [batch, length, hidden]. */
export function bartDecode(scope: Scope, config: BartConfig, decoderInputIds: Tensor, source: CrossSource, mode: ForwardMode, cache?: KeyValueCache): EncoderOutputs {
  return bartDecoderLayers(scope.in("decoder"), config, embed(scope, "decoder", config, decoderInputIds, mode, cache), source, mode, cache);
}

/** Both halves. The hidden states are the decoder's. */
export function bartModel(scope: Scope, config: BartConfig, { decoderInputIds, ...inputs }: Seq2SeqInputs, mode: ForwardMode): ModelOutputs {
  const encoder = bartEncode(scope, config, inputs, mode);
  const source = { layers: crossKeysAndValues(scope.in("decoder"), config, encoder.lastHiddenState), mask: inputs.attentionMask };
  return { ...bartDecode(scope, config, decoderInputIds, source, mode), encoder };
}

/** What scores tokens after the decoder's states: the embeddings, and a bias that is not learnt. */
export function bartScores(scope: Scope, { vocabSize, hiddenSize, initializerRange }: BartLikeConfig, hidden: Tensor): Decoder {
  const weight = scope.in("model.shared").matrix("weight", [vocabSize, hiddenSize], normal(initializerRange));
  const bias = scope.parameter("final_logits_bias", [1, vocabSize], zeros);
  return { hidden, weight, bias: reshape(slice(bias, { axis: 0, begin: 0 }), [vocabSize]) };
}

export function bartForConditionalGeneration(scope: Scope, config: BartConfig, inputs: Seq2SeqInputs, mode: ForwardMode): ModelOutputs {
  const outputs = bartModel(scope.in("model"), config, inputs, mode);
  return { ...outputs, ...vocabularyScores(bartScores(scope, config, outputs.lastHiddenState)) };
}

/**
 * Scores of a text, or of two: the decoder reads the same text after its start token, and its state at the last token that ends texts is
 * classified. logits [batch, labels].
 */
export function bartForSequenceClassification(scope: Scope, config: BartConfig, inputs: EncoderInputs, mode: ForwardMode): ModelOutputs {
  const { hiddenSize, numLabels, initializerRange, eosTokenIds, decoderStartTokenId } = config;
  const [batch, length] = inputs.inputIds.shape as [number, number];
  const start = cast(broadcastTo(constant(decoderStartTokenId), [batch, 1]), "i32");
  const decoderInputIds = length === 1 ? start : concat([start, slice(inputs.inputIds, { axis: 1, begin: 0, end: length - 1 })], 1);
  const outputs = bartModel(scope.in("model"), config, { ...inputs, decoderInputIds }, mode);
  const isEnd = equal(cast(inputs.inputIds, "f32"), eosTokenIds[0] ?? 2);
  const pooled = tokenAt(outputs.lastHiddenState, max(mul(places(length), isEnd), { axes: [1], keepDims: true }));
  const head = scope.in("classification_head");
  const dense = tanh(linear(head.in("dense"), pooled, { outputSize: hiddenSize, initializerRange }));
  return { ...outputs, logits: linear(head.in("out_proj"), dense, { outputSize: numLabels, initializerRange }) };
}
