import { add, type Tensor } from "@heddle/kernels";
import type { AlbertConfig } from "../config/index.ts";
import type { EncoderInputs } from "../models/inputs.ts";
import type { EncoderOutputs, ModelOutputs } from "../models/outputs.ts";
import { dropout, type ForwardMode } from "../nn/forward-mode.ts";
import { layerNorm } from "../nn/layer-norm.ts";
import { linear } from "../nn/linear.ts";
import type { Scope } from "../nn/scope.ts";
import { bertEmbeddings, selfAttention } from "./bert.ts";
import { maskedLM, pooledSequenceClassification, pooler } from "./encoder-heads.ts";

// ALBERT (Lan et al. 2019, arXiv:1909.11942): BERT with narrow embeddings, and one set of weights for many layers.

/** Post-norm, and unlike BERT no dropout after the feed-forward network. x [batch, length, hidden] → same. */
function layer(scope: Scope, config: AlbertConfig, x: Tensor, attentionMask: Tensor | undefined, mode: ForwardMode): Tensor {
  const { hiddenSize, intermediateSize, hiddenAct, hiddenDropoutProb, layerNormEps, initializerRange } = config;
  const attention = scope.in("attention");
  const context = linear(attention.in("dense"), selfAttention(attention, config, x, attentionMask, mode), { outputSize: hiddenSize, initializerRange });
  const attended = layerNorm(attention.in("LayerNorm"), add(x, dropout(context, hiddenDropoutProb, mode)), layerNormEps);
  const expanded = linear(scope.in("ffn"), attended, { outputSize: intermediateSize, activation: hiddenAct, initializerRange });
  return layerNorm(scope.in("full_layer_layer_norm"), add(linear(scope.in("ffn_output"), expanded, { outputSize: hiddenSize, initializerRange }), attended), layerNormEps);
}

/** Hidden states [batch, length, hidden]: the projected embeddings' and every layer's. */
export function albertEncoder(scope: Scope, config: AlbertConfig, inputs: EncoderInputs, mode: ForwardMode): EncoderOutputs {
  const { embeddingSize: size, hiddenSize: outputSize, numHiddenLayers, numHiddenGroups, innerGroupNum, initializerRange } = config;
  const embedded = bertEmbeddings(scope.in("embeddings"), config, inputs, mode, { size });
  const hiddenStates = [linear(scope.in("encoder.embedding_hidden_mapping_in"), embedded, { outputSize, initializerRange })];
  for (let i = 0; i < numHiddenLayers; i++) {
    const group = scope.in("encoder.albert_layer_groups").in(Math.floor((i * numHiddenGroups) / numHiddenLayers)).in("albert_layers");
    for (let j = 0; j < innerGroupNum; j++) hiddenStates.push(layer(group.in(j), config, hiddenStates.at(-1)!, inputs.attentionMask, mode));
  }
  return { hiddenStates, lastHiddenState: hiddenStates.at(-1)! };
}

/** Plain hidden states and the pooler's output. */
export function albertModel(scope: Scope, config: AlbertConfig, inputs: EncoderInputs, mode: ForwardMode): Required<Pick<ModelOutputs, "poolerOutput">> & EncoderOutputs {
  const encoder = albertEncoder(scope, config, inputs, mode);
  return { ...encoder, poolerOutput: pooler(scope.in("pooler"), config, encoder.lastHiddenState) };
}

export function albertForSequenceClassification(scope: Scope, config: AlbertConfig, inputs: EncoderInputs, mode: ForwardMode): ModelOutputs {
  const { poolerOutput, ...encoder } = albertModel(scope.in("albert"), config, inputs, mode);
  return pooledSequenceClassification(scope, config, encoder, poolerOutput, mode);
}

export function albertForMaskedLM(scope: Scope, config: AlbertConfig, inputs: EncoderInputs, mode: ForwardMode): ModelOutputs {
  const predictions = scope.in("predictions");
  const encoder = albertEncoder(scope.in("albert"), config, inputs, mode);
  const scopes = { dense: predictions.in("dense"), norm: predictions.in("LayerNorm"), words: scope.in("albert.embeddings.word_embeddings"), bias: predictions };
  return maskedLM(config, encoder, scopes, { size: config.embeddingSize });
}
