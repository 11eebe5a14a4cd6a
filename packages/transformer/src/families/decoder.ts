import { asTensor, mul, type Tensor } from "@heddle/kernels";
import type { LayerType, LlamaLikeConfig } from "../config/decoder.ts";
import type { DecoderInputs } from "../models/inputs.ts";
import type { EncoderOutputs } from "../models/outputs.ts";
import { causalAttention, type CausalPlace } from "../nn/causal-attention.ts";
import { embedding } from "../nn/embedding.ts";
import type { ForwardMode } from "../nn/forward-mode.ts";
import { splitHeads } from "../nn/heads.ts";
import { positionsOf, type KeyValueCache } from "../nn/key-value-cache.ts";
import { linear } from "../nn/linear.ts";
import { rmsNorm } from "../nn/rms-norm.ts";
import { rotaryTableOf } from "../nn/rotary.ts";
import type { Scope } from "../nn/scope.ts";

// What Llama and its descendants share: embeddings, a stack of layers, a norm at the end.

/** One layer. x [batch, length, hidden] → same. */
export type DecoderLayer<C> = (scope: Scope, config: C, x: Tensor, place: CausalPlace, mode: ForwardMode) => Tensor;

export type DecoderModel<C> = (scope: Scope, config: C, inputs: DecoderInputs, mode: ForwardMode) => EncoderOutputs;

interface DecoderModelOptions<C> {
  /** Factor of the embeddings, and whether the last norm's weight is stored less 1: Gemma. */
  readonly embeddingScale?: (config: C) => number;
  readonly unitOffset?: boolean;
  /** Whether positions turn a layer's queries and keys. Default: of all layers. */
  readonly usesRotary?: (config: C, layer: number) => boolean;
}

/** A family's bare model of its layer. Hidden states: the embeddings', every layer's but the last one's, and the norm's. */
export function decoderModel<C extends LlamaLikeConfig>(layer: DecoderLayer<C>, { embeddingScale, unitOffset = false, usesRotary = () => true }: DecoderModelOptions<C> = {}): DecoderModel<C> {
  return (scope, config, { inputIds, attentionMask: mask, cache }, mode) => {
    const { vocabSize: count, hiddenSize: size, numHiddenLayers, headDim, initializerRange, normEps, layerTypes, slidingWindow } = config;
    const words = embedding(scope.in("embed_tokens"), inputIds, { count, size, initializerRange });
    const positions = positionsOf(cache, inputIds.shape[1]!);
    const table = (type: LayerType) => asTensor(rotaryTableOf(config.rotary[type], headDim, positions));
    const tables = { full_attention: table("full_attention"), sliding_attention: table("sliding_attention") };
    const hiddenStates = [embeddingScale ? mul(words, embeddingScale(config)) : words];
    for (let i = 0; i < numHiddenLayers; i++) {
      const type = layerTypes[i]!;
      const place: CausalPlace = {
        mask,
        cache: cacheOf(cache, i),
        rotary: usesRotary(config, i) ? tables[type] : undefined,
        window: type === "sliding_attention" ? slidingWindow : undefined,
      };
      hiddenStates.push(layer(scope.in("layers").in(i), config, hiddenStates.at(-1)!, place, mode));
    }
    return withFinalNorm(hiddenStates, (x) => rmsNorm(scope.in("norm"), x, normEps, { unitOffset }));
  };
}

/** One layer's part of a cache. */
export const cacheOf = (cache: KeyValueCache | undefined, layer: number): CausalPlace["cache"] => cache && { ...cache.layers[layer]!, lengths: cache.lengths };

/** The last layer's output appears normalised only, as transformers gives it. */
export function withFinalNorm(hiddenStates: readonly Tensor[], norm: (x: Tensor) => Tensor): EncoderOutputs {
  const lastHiddenState = norm(hiddenStates.at(-1)!);
  return { hiddenStates: [...hiddenStates.slice(0, -1), lastHiddenState], lastHiddenState };
}

interface SelfAttentionOptions {
  /** Of queries, keys and values; of the output. Default: as `attentionBias` says. */
  readonly bias?: boolean;
  readonly outputBias?: boolean;
  /** A norm of each head's queries and keys before positions turn them. */
  readonly headNorm?: (scope: Scope, x: Tensor) => Tensor;
  readonly scale?: number;
  readonly softCap?: number | undefined;
}

/** Grouped-query attention (Ainslie et al. 2023): q_proj, k_proj, v_proj, o_proj. x [batch, length, hidden] → same. */
export function selfAttention(scope: Scope, config: LlamaLikeConfig, x: Tensor, place: CausalPlace, mode: ForwardMode, options: SelfAttentionOptions = {}): Tensor {
  const { hiddenSize, numAttentionHeads, numKeyValueHeads, headDim, initializerRange, attentionBias, attentionDropout } = config;
  const { bias = attentionBias, outputBias = attentionBias, headNorm, scale, softCap } = options;
  const project = (name: string, heads: number) => splitHeads(linear(scope.in(name), x, { outputSize: heads * headDim, initializerRange, bias }), heads);
  const normalized = (name: string, heads: Tensor) => (headNorm ? headNorm(scope.in(name), heads) : heads);
  const q = normalized("q_norm", project("q_proj", numAttentionHeads));
  const k = normalized("k_norm", project("k_proj", numKeyValueHeads));
  const context = causalAttention(q, k, project("v_proj", numKeyValueHeads), place, mode, { softCap, dropout: attentionDropout ?? 0, ...(scale !== undefined && { scale }) });
  return linear(scope.in("o_proj"), context, { outputSize: hiddenSize, initializerRange, bias: outputBias });
}
