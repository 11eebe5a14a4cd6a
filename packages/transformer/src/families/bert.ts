import { add, attention, reshape, slice, type Tensor } from "@heddle/kernels";
import type { BertConfig } from "../config/index.ts";
import { embedding } from "../nn/embedding.ts";
import { dropout, type ForwardMode } from "../nn/forward-mode.ts";
import { mergeHeads, splitHeads } from "../nn/heads.ts";
import { layerNorm } from "../nn/layer-norm.ts";
import { linear } from "../nn/linear.ts";
import { firstPositions } from "../nn/position-ids.ts";
import { normal, zeros, type Scope } from "../nn/scope.ts";
import type { EncoderInputs, EncoderOutputs, ModelOutputs } from "../models/outputs.ts";
import { tiedDecoder } from "../nn/tied-decoder.ts";

// BERT (Devlin et al. 2018, arXiv:1810.04805), with the layout of transformers' modeling_bert.py.

/** inputIds, tokenTypeIds [batch, length] → [batch, length, hidden]. */
function embeddings(scope: Scope, config: BertConfig, { inputIds, tokenTypeIds }: EncoderInputs, mode: ForwardMode): Tensor {
  const { vocabSize, typeVocabSize, maxPositionEmbeddings, hiddenSize: size, initializerRange } = config;
  const length = inputIds.shape[1]!;
  const words = embedding(scope.in("word_embeddings"), inputIds, { count: vocabSize, size, initializerRange });
  const positionTable = scope.in("position_embeddings").parameter("weight", [maxPositionEmbeddings, size], normal(initializerRange));
  const typeTable = scope.in("token_type_embeddings");
  // Without token types every token is of type 0.
  const types = tokenTypeIds
    ? embedding(typeTable, tokenTypeIds, { count: typeVocabSize, size, initializerRange })
    : firstPositions(typeTable.parameter("weight", [typeVocabSize, size], normal(initializerRange)), 1, size);
  const sum = add(add(words, firstPositions(positionTable, length, size)), types);
  return dropout(layerNorm(scope.in("LayerNorm"), sum, config.layerNormEps), config.hiddenDropoutProb, mode);
}

/** Section 3.2.2 of Vaswani et al. 2017: softmax(Q Kᵀ / √d) V per head. x [batch, length, hidden] → same. */
function selfAttention(scope: Scope, config: BertConfig, x: Tensor, attentionMask: Tensor | undefined, mode: ForwardMode): Tensor {
  const { hiddenSize: outputSize, numAttentionHeads: heads, initializerRange, attentionProbsDropoutProb: probability } = config;
  const project = (name: string) => splitHeads(linear(scope.in(name), x, { outputSize, initializerRange }), heads);
  return mergeHeads(
    attention(project("query"), project("key"), project("value"), {
      ...(attentionMask && { mask: attentionMask }),
      ...(mode.dropoutKey && probability > 0 && { dropout: { probability, key: mode.dropoutKey } }),
    }),
  );
}

/** Post-norm: LayerNorm(x + sublayer(x)), twice. */
function layer(scope: Scope, config: BertConfig, x: Tensor, attentionMask: Tensor | undefined, mode: ForwardMode): Tensor {
  const { hiddenSize, intermediateSize, hiddenAct, hiddenDropoutProb, layerNormEps, initializerRange } = config;
  const residual = (output: Scope, before: Tensor, inner: Tensor) => {
    const projected = linear(output.in("dense"), inner, { outputSize: hiddenSize, initializerRange });
    return layerNorm(output.in("LayerNorm"), add(before, dropout(projected, hiddenDropoutProb, mode)), layerNormEps);
  };
  const attended = residual(scope.in("attention.output"), x, selfAttention(scope.in("attention.self"), config, x, attentionMask, mode));
  const expanded = linear(scope.in("intermediate.dense"), attended, { outputSize: intermediateSize, activation: hiddenAct, initializerRange });
  return residual(scope.in("output"), attended, expanded);
}

/** Hidden states [batch, length, hidden]: the embeddings' and every layer's. */
export function bertEncoder(scope: Scope, config: BertConfig, inputs: EncoderInputs, mode: ForwardMode): EncoderOutputs {
  const hiddenStates = [embeddings(scope.in("embeddings"), config, inputs, mode)];
  for (let i = 0; i < config.numHiddenLayers; i++) {
    hiddenStates.push(layer(scope.in("encoder.layer").in(i), config, hiddenStates.at(-1)!, inputs.attentionMask, mode));
  }
  return { hiddenStates, lastHiddenState: hiddenStates.at(-1)! };
}

/** tanh(W h₀ + b) of the first token. [batch, length, hidden] → [batch, hidden]. */
function pooler(scope: Scope, config: BertConfig, lastHiddenState: Tensor): Tensor {
  const { hiddenSize: outputSize, initializerRange } = config;
  return linear(scope.in("pooler.dense"), firstToken(lastHiddenState), { outputSize, activation: "tanh", initializerRange });
}

export function firstToken(hidden: Tensor): Tensor {
  const [batch, , size] = hidden.shape as [number, number, number];
  return reshape(slice(hidden, { axis: 1, begin: 0, end: 1 }), [batch, size]);
}

const classifierDropout = (config: BertConfig) => config.classifierDropout ?? config.hiddenDropoutProb;

/** Plain hidden states and the pooler's output. Checkpoints keep these parameters without the `bert.` prefix. */
export function bertModel(scope: Scope, config: BertConfig, inputs: EncoderInputs, mode: ForwardMode): ModelOutputs {
  const encoder = bertEncoder(scope, config, inputs, mode);
  return { ...encoder, poolerOutput: pooler(scope, config, encoder.lastHiddenState) };
}

export function bertForSequenceClassification(scope: Scope, config: BertConfig, inputs: EncoderInputs, mode: ForwardMode): ModelOutputs {
  const encoder = bertEncoder(scope.in("bert"), config, inputs, mode);
  const pooled = dropout(pooler(scope.in("bert"), config, encoder.lastHiddenState), classifierDropout(config), mode);
  return { ...encoder, logits: linear(scope.in("classifier"), pooled, { outputSize: config.numLabels, initializerRange: config.initializerRange }) };
}

export function bertForTokenClassification(scope: Scope, config: BertConfig, inputs: EncoderInputs, mode: ForwardMode): ModelOutputs {
  const encoder = bertEncoder(scope.in("bert"), config, inputs, mode);
  const hidden = dropout(encoder.lastHiddenState, classifierDropout(config), mode);
  return { ...encoder, logits: linear(scope.in("classifier"), hidden, { outputSize: config.numLabels, initializerRange: config.initializerRange }) };
}

export function bertForQuestionAnswering(scope: Scope, config: BertConfig, inputs: EncoderInputs, mode: ForwardMode): ModelOutputs {
  const encoder = bertEncoder(scope.in("bert"), config, inputs, mode);
  const [batch, length] = inputs.inputIds.shape as [number, number];
  const both = linear(scope.in("qa_outputs"), encoder.lastHiddenState, { outputSize: 2, initializerRange: config.initializerRange });
  const column = (begin: number) => reshape(slice(both, { axis: 2, begin, end: begin + 1 }), [batch, length]);
  return { ...encoder, startLogits: column(0), endLogits: column(1) };
}

/** The decoder's matrix is the word embedding (tied). logits [batch, length, vocabulary]. */
export function bertForMaskedLM(scope: Scope, config: BertConfig, inputs: EncoderInputs, mode: ForwardMode): ModelOutputs {
  const { vocabSize, hiddenSize, hiddenAct, layerNormEps, initializerRange } = config;
  const encoder = bertEncoder(scope.in("bert"), config, inputs, mode);
  const transform = scope.in("cls.predictions.transform");
  const hidden = layerNorm(transform.in("LayerNorm"), linear(transform.in("dense"), encoder.lastHiddenState, { outputSize: hiddenSize, activation: hiddenAct, initializerRange }), layerNormEps);
  const table = scope.in("bert.embeddings.word_embeddings").parameter("weight", [vocabSize, hiddenSize], normal(initializerRange));
  const bias = scope.in("cls.predictions").parameter("bias", [vocabSize], zeros);
  return { ...encoder, logits: tiedDecoder(hidden, table, bias) };
}
