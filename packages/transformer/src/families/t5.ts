import { add, attention, mul, type Tensor } from "@heddle/kernels";
import type { T5Config } from "../config/t5.ts";
import type { Seq2SeqInputs } from "../models/inputs.ts";
import type { Decoder, EncoderOutputs, ModelOutputs } from "../models/outputs.ts";
import { causalAttention, type CausalPlace } from "../nn/causal-attention.ts";
import { crossAttention, type CrossSource, type KeysAndValues } from "../nn/cross-attention.ts";
import { embedding } from "../nn/embedding.ts";
import { dropout, type ForwardMode } from "../nn/forward-mode.ts";
import { mergeHeads, splitHeads } from "../nn/heads.ts";
import type { KeyValueCache } from "../nn/key-value-cache.ts";
import { linear } from "../nn/linear.ts";
import { cacheDistances, relativePositionBias, textDistances } from "../nn/relative-positions.ts";
import { rmsNorm } from "../nn/rms-norm.ts";
import { normal, type Scope } from "../nn/scope.ts";
import { vocabularyScores } from "../nn/vocabulary-scores.ts";
import { cacheOf } from "./decoder.ts";

// T5 (Raffel et al. 2019, arXiv:1910.10683): no positions but a bias of the scores by distance, RMSNorm before each sublayer, no
// biases, no scaling of scores. From version 1.1 on (Flan-T5) a gated feed-forward network.

const project = (scope: Scope, name: string, x: Tensor, { numAttentionHeads: heads, headDim, initializerRange }: T5Config): Tensor =>
  splitHeads(linear(scope.in(name), x, { outputSize: heads * headDim, initializerRange, bias: false }), heads);

const output = (scope: Scope, context: Tensor, { hiddenSize: outputSize, initializerRange }: T5Config): Tensor => linear(scope.in("o"), context, { outputSize, initializerRange, bias: false });

function feedForward(scope: Scope, config: T5Config, x: Tensor, mode: ForwardMode): Tensor {
  const { hiddenSize, intermediateSize, hiddenAct, isGatedAct, initializerRange, dropoutRate } = config;
  const expand = (name: string, activated: boolean) => linear(scope.in(name), x, { outputSize: intermediateSize, initializerRange, bias: false, ...(activated && { activation: hiddenAct }) });
  const expanded = isGatedAct ? mul(expand("wi_0", true), expand("wi_1", false)) : expand("wi", true);
  return linear(scope.in("wo"), dropout(expanded, dropoutRate, mode), { outputSize: hiddenSize, initializerRange, bias: false });
}

/** x + sublayer(norm(x)). */
function residual(scope: Scope, config: T5Config, x: Tensor, mode: ForwardMode, sublayer: (normalized: Tensor) => Tensor): Tensor {
  return add(x, dropout(sublayer(rmsNorm(scope.in("layer_norm"), x, config.layerNormEpsilon)), config.dropoutRate, mode));
}

/** The first layer's bias serves all. [1 or batch, heads, queries, keys] */
const positionBias = (stack: Scope, config: T5Config, ahead: Tensor, bidirectional: boolean): Tensor =>
  relativePositionBias(stack.in("block.0.layer.0.SelfAttention.relative_attention_bias"), ahead, {
    heads: config.numAttentionHeads,
    buckets: config.relativeAttentionNumBuckets,
    maxDistance: config.relativeAttentionMaxDistance,
    initializerRange: config.initializerRange,
    bidirectional,
  });

const words = (scope: Scope, { vocabSize: count, hiddenSize: size, initializerRange, dropoutRate }: T5Config, ids: Tensor, mode: ForwardMode): Tensor => dropout(embedding(scope.in("shared"), ids, { count, size, initializerRange }), dropoutRate, mode);

function finish(stack: Scope, config: T5Config, hiddenStates: readonly Tensor[], mode: ForwardMode): EncoderOutputs {
  const lastHiddenState = dropout(rmsNorm(stack.in("final_layer_norm"), hiddenStates.at(-1)!, config.layerNormEpsilon), config.dropoutRate, mode);
  return { hiddenStates: [...hiddenStates.slice(0, -1), lastHiddenState], lastHiddenState };
}

/** inputIds [batch, source] → hidden states [batch, source, hidden]. */
export function t5Encode(scope: Scope, config: T5Config, { inputIds, attentionMask: mask }: Omit<Seq2SeqInputs, "decoderInputIds">, mode: ForwardMode): EncoderOutputs {
  const stack = scope.in("encoder");
  const hiddenStates = [words(scope, config, inputIds!, mode)];
  const bias = positionBias(stack, config, textDistances(inputIds!.shape[1]!), true);
  const probability = config.dropoutRate;
  const attend = (attn: Scope, x: Tensor) =>
    output(attn, mergeHeads(attention(project(attn, "q", x, config), project(attn, "k", x, config), project(attn, "v", x, config), { bias, scale: 1, ...(mask && { mask }), ...(mode.dropoutKey && probability > 0 && { dropout: { probability, key: mode.dropoutKey } }) })), config);
  for (let i = 0; i < config.numEncoderLayers; i++) {
    const block = stack.in("block").in(i).in("layer");
    const attended = residual(block.in(0), config, hiddenStates.at(-1)!, mode, (x) => attend(block.in("0.SelfAttention"), x));
    hiddenStates.push(residual(block.in(1), config, attended, mode, (x) => feedForward(block.in("1.DenseReluDense"), config, x, mode)));
  }
  return finish(stack, config, hiddenStates, mode);
}

/** What each layer of the decoder sees of the encoder's states. */
export function t5CrossKeysAndValues(scope: Scope, config: T5Config, encoded: Tensor): KeysAndValues[] {
  return Array.from({ length: config.numHiddenLayers }, (_, i) => {
    const attn = scope.in("decoder.block").in(i).in("layer.1.EncDecAttention");
    return { keys: project(attn, "k", encoded, config), values: project(attn, "v", encoded, config) };
  });
}

/** decoderInputIds [batch, length], a text or what comes after a cache's tokens → hidden states [batch, length, hidden]. */
export function t5Decode(scope: Scope, config: T5Config, decoderInputIds: Tensor, source: CrossSource, mode: ForwardMode, cache?: KeyValueCache): EncoderOutputs {
  const stack = scope.in("decoder");
  const length = decoderInputIds.shape[1]!;
  const hiddenStates = [words(scope, config, decoderInputIds, mode)];
  const bias = positionBias(stack, config, cache ? cacheDistances(cache, length) : textDistances(length), false);
  const options = { scale: 1, dropout: config.dropoutRate };
  for (let i = 0; i < config.numHiddenLayers; i++) {
    const block = stack.in("block").in(i).in("layer");
    const place: CausalPlace = { bias, cache: cacheOf(cache, i) };
    const [own, cross] = [block.in("0.SelfAttention"), block.in("1.EncDecAttention")];
    const attended = residual(block.in(0), config, hiddenStates.at(-1)!, mode, (x) => output(own, causalAttention(project(own, "q", x, config), project(own, "k", x, config), project(own, "v", x, config), place, mode, options), config));
    const informed = residual(block.in(1), config, attended, mode, (x) => output(cross, crossAttention(project(cross, "q", x, config), source.layers[i]!, source.mask, mode, options), config));
    hiddenStates.push(residual(block.in(2), config, informed, mode, (x) => feedForward(block.in("2.DenseReluDense"), config, x, mode)));
  }
  return finish(stack, config, hiddenStates, mode);
}

/** Both halves. The hidden states are the decoder's. */
export function t5Model(scope: Scope, config: T5Config, { decoderInputIds, ...inputs }: Seq2SeqInputs, mode: ForwardMode): ModelOutputs {
  const encoder = t5Encode(scope, config, inputs, mode);
  const source = { layers: t5CrossKeysAndValues(scope, config, encoder.lastHiddenState), mask: inputs.attentionMask };
  return { ...t5Decode(scope, config, decoderInputIds, source, mode), encoder };
}

/** What scores tokens after the decoder's states. */
export function t5Scores(scope: Scope, { vocabSize, hiddenSize, tieWordEmbeddings, scaleDecoderOutputs, initializerRange }: T5Config, lastHiddenState: Tensor): Decoder {
  const weight = scope.in(tieWordEmbeddings ? "shared" : "lm_head").matrix("weight", [vocabSize, hiddenSize], normal(initializerRange));
  return { hidden: scaleDecoderOutputs ? mul(lastHiddenState, hiddenSize ** -0.5) : lastHiddenState, weight };
}

export function t5ForConditionalGeneration(scope: Scope, config: T5Config, inputs: Seq2SeqInputs, mode: ForwardMode): ModelOutputs {
  const outputs = t5Model(scope, config, inputs, mode);
  return { ...outputs, ...vocabularyScores(t5Scores(scope, config, outputs.lastHiddenState)) };
}
