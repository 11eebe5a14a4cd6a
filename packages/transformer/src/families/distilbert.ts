import { add, attention, type Tensor } from "@heddle/kernels";
import type { DistilBertConfig } from "../config/index.ts";
import type { EncoderInputs } from "../models/inputs.ts";
import type { EncoderOutputs, ModelOutputs } from "../models/outputs.ts";
import { dropout, type ForwardMode } from "../nn/forward-mode.ts";
import { mergeHeads, splitHeads } from "../nn/heads.ts";
import { layerNorm } from "../nn/layer-norm.ts";
import { linear } from "../nn/linear.ts";
import type { Scope } from "../nn/scope.ts";
import { bertEmbeddings } from "./bert.ts";
import { firstToken, maskedLM, plainHeads } from "./encoder-heads.ts";

// DistilBERT (Sanh et al. 2019, arXiv:1910.01108): BERT without token types and pooler, half as deep.

/** DistilBERT's layer norms have a fixed epsilon in transformers' modeling_distilbert.py. */
const LAYER_NORM_EPSILON = 1e-12;

function selfAttention(scope: Scope, config: DistilBertConfig, x: Tensor, attentionMask: Tensor | undefined, mode: ForwardMode): Tensor {
  const { hiddenSize: outputSize, numAttentionHeads: heads, initializerRange, attentionProbsDropoutProb: probability } = config;
  const project = (name: string) => splitHeads(linear(scope.in(name), x, { outputSize, initializerRange }), heads);
  const context = attention(project("q_lin"), project("k_lin"), project("v_lin"), {
    ...(attentionMask && { mask: attentionMask }),
    ...(mode.dropoutKey && probability > 0 && { dropout: { probability, key: mode.dropoutKey } }),
  });
  return linear(scope.in("out_lin"), mergeHeads(context), { outputSize, initializerRange });
}

/** Post-norm, and unlike BERT no dropout on the attention's output. */
function layer(scope: Scope, config: DistilBertConfig, x: Tensor, attentionMask: Tensor | undefined, mode: ForwardMode): Tensor {
  const { hiddenSize, intermediateSize, hiddenAct, hiddenDropoutProb, initializerRange } = config;
  const attended = layerNorm(scope.in("sa_layer_norm"), add(selfAttention(scope.in("attention"), config, x, attentionMask, mode), x), LAYER_NORM_EPSILON);
  const expanded = linear(scope.in("ffn.lin1"), attended, { outputSize: intermediateSize, activation: hiddenAct, initializerRange });
  const contracted = linear(scope.in("ffn.lin2"), expanded, { outputSize: hiddenSize, initializerRange });
  return layerNorm(scope.in("output_layer_norm"), add(dropout(contracted, hiddenDropoutProb, mode), attended), LAYER_NORM_EPSILON);
}

/** Hidden states [batch, length, hidden]: the embeddings' and every layer's. */
export function distilbertModel(scope: Scope, config: DistilBertConfig, inputs: EncoderInputs, mode: ForwardMode): EncoderOutputs {
  const hiddenStates = [bertEmbeddings(scope.in("embeddings"), config, inputs, mode)];
  for (let i = 0; i < config.numHiddenLayers; i++) {
    hiddenStates.push(layer(scope.in("transformer.layer").in(i), config, hiddenStates.at(-1)!, inputs.attentionMask, mode));
  }
  return { hiddenStates, lastHiddenState: hiddenStates.at(-1)! };
}

export function distilbertForSequenceClassification(scope: Scope, config: DistilBertConfig, inputs: EncoderInputs, mode: ForwardMode): ModelOutputs {
  const { hiddenSize, numLabels, initializerRange } = config;
  const encoder = distilbertModel(scope.in("distilbert"), config, inputs, mode);
  const pooled = linear(scope.in("pre_classifier"), firstToken(encoder.lastHiddenState), { outputSize: hiddenSize, activation: "relu", initializerRange });
  const logits = linear(scope.in("classifier"), dropout(pooled, config.classifierDropout ?? config.hiddenDropoutProb, mode), { outputSize: numLabels, initializerRange });
  return { ...encoder, logits };
}

const heads = plainHeads<DistilBertConfig>("distilbert", distilbertModel);

/** Tokens have the encoder's dropout; only the head for sequences has one of its own. */
export const distilbertForTokenClassification: (typeof heads)["token-classification"] = (scope, config, inputs, mode) => heads["token-classification"](scope, { ...config, classifierDropout: config.hiddenDropoutProb }, inputs, mode);

export const distilbertForQuestionAnswering = heads["question-answering"];

export function distilbertForMaskedLM(scope: Scope, config: DistilBertConfig, inputs: EncoderInputs, mode: ForwardMode): ModelOutputs {
  const encoder = distilbertModel(scope.in("distilbert"), config, inputs, mode);
  return maskedLM(config, encoder, { dense: scope.in("vocab_transform"), norm: scope.in("vocab_layer_norm"), words: scope.in("distilbert.embeddings.word_embeddings"), bias: scope.in("vocab_projector") });
}
