import { activation, add, asTensor, attention, cast, div, matmul, maximum, mean, mul, reshape, slice, sum, type Tensor } from "@heddle/kernels";
import type { LayerType, ModernBertConfig } from "../config/index.ts";
import type { EncoderInputs } from "../models/inputs.ts";
import type { EncoderOutputs, ModelOutputs } from "../models/outputs.ts";
import { embedding } from "../nn/embedding.ts";
import { dropout, type ForwardMode } from "../nn/forward-mode.ts";
import { mergeHeads, splitHeads } from "../nn/heads.ts";
import { layerNorm } from "../nn/layer-norm.ts";
import { linear } from "../nn/linear.ts";
import { rotaryTableOf } from "../nn/rotary.ts";
import { normal, zeros, type Scope } from "../nn/scope.ts";
import { vocabularyScores } from "../nn/vocabulary-scores.ts";
import { withFinalNorm } from "./decoder.ts";
import { answerScores, firstToken } from "./encoder-heads.ts";

// ModernBERT (Warner et al. 2024, arXiv:2412.13663): norms before each sublayer, rotary positions, GeGLU, and attention to near
// tokens only in most layers.

const norm = (scope: Scope, { normEps, normBias: bias }: ModernBertConfig, x: Tensor): Tensor => layerNorm(scope, x, normEps, { bias });

interface Place {
  readonly mask: Tensor | undefined;
  /** Of each type of layer. */
  readonly rotary: Readonly<Record<LayerType, Tensor>>;
}

function attend(scope: Scope, config: ModernBertConfig, x: Tensor, type: LayerType, { mask, rotary }: Place, mode: ForwardMode): Tensor {
  const { hiddenSize, numAttentionHeads, localAttention, attentionBias: bias, attentionDropout: probability, initializerRange } = config;
  const all = linear(scope.in("Wqkv"), x, { outputSize: 3 * hiddenSize, initializerRange, bias });
  const [q, k, v] = [0, 1, 2].map((i) => splitHeads(slice(all, { axis: 2, begin: i * hiddenSize, end: (i + 1) * hiddenSize }), numAttentionHeads)) as [Tensor, Tensor, Tensor];
  const context = attention(q, k, v, {
    rotary: { table: rotary[type] },
    ...(type === "sliding_attention" && { window: localAttention }),
    ...(mask && { mask }),
    ...(mode.dropoutKey && probability > 0 && { dropout: { probability, key: mode.dropoutKey } }),
  });
  return dropout(linear(scope.in("Wo"), mergeHeads(context), { outputSize: hiddenSize, initializerRange, bias }), probability, mode);
}

/** W₃ (activation(W₁ x) · W₂ x), where one matrix holds W₁ and W₂. */
function feedForward(scope: Scope, { hiddenSize, intermediateSize, hiddenAct, mlpBias: bias, mlpDropout, initializerRange }: ModernBertConfig, x: Tensor, mode: ForwardMode): Tensor {
  const both = linear(scope.in("Wi"), x, { outputSize: 2 * intermediateSize, initializerRange, bias });
  const [input, gate] = [slice(both, { axis: 2, end: intermediateSize }), slice(both, { axis: 2, begin: intermediateSize })];
  return linear(scope.in("Wo"), dropout(mul(activation(hiddenAct, input), gate), mlpDropout, mode), { outputSize: hiddenSize, initializerRange, bias });
}

/** x + attention(norm(x)), then x + feedForward(norm(x)); the embeddings have a norm already. x [batch, length, hidden] → same. */
function layer(scope: Scope, config: ModernBertConfig, x: Tensor, i: number, place: Place, mode: ForwardMode): Tensor {
  const normalized = i === 0 ? x : norm(scope.in("attn_norm"), config, x);
  const attended = add(x, attend(scope.in("attn"), config, normalized, config.layerTypes[i]!, place, mode));
  return add(attended, feedForward(scope.in("mlp"), config, norm(scope.in("mlp_norm"), config, attended), mode));
}

/** Hidden states [batch, length, hidden]: the embeddings', every layer's but the last one's, and the norm's. */
export function modernbertModel(scope: Scope, config: ModernBertConfig, { inputIds, attentionMask: mask }: EncoderInputs, mode: ForwardMode): EncoderOutputs {
  const { vocabSize: count, hiddenSize: size, numHiddenLayers, numAttentionHeads, maxPositionEmbeddings, padTokenId, embeddingDropout, initializerRange } = config;
  const embeddings = scope.in("embeddings");
  const words = embedding(embeddings.in("tok_embeddings"), inputIds, { count, size, initializerRange, paddingIndex: padTokenId });
  // Of the longest text: one program, as an ONNX file is, then serves every length.
  const table = (type: LayerType) => asTensor(rotaryTableOf(config.rotary[type], size / numAttentionHeads, maxPositionEmbeddings));
  const place: Place = { mask, rotary: { full_attention: table("full_attention"), sliding_attention: table("sliding_attention") } };
  const hiddenStates = [dropout(norm(embeddings.in("norm"), config, words), embeddingDropout, mode)];
  for (let i = 0; i < numHiddenLayers; i++) hiddenStates.push(layer(scope.in("layers").in(i), config, hiddenStates.at(-1)!, i, place, mode));
  return withFinalNorm(hiddenStates, (x) => norm(scope.in("final_norm"), config, x));
}

/** norm(activation(W h + b)): what every head begins with. h [..., hidden] → same. */
function predictionHead(scope: Scope, config: ModernBertConfig, h: Tensor): Tensor {
  const { hiddenSize: outputSize, classifierActivation, classifierBias: bias, initializerRange } = config;
  return norm(scope.in("norm"), config, linear(scope.in("dense"), h, { outputSize, activation: classifierActivation, bias, initializerRange }));
}

/** Mean over the tokens that are no padding. [batch, length, hidden] → [batch, hidden]. */
function meanOfTokens(hidden: Tensor, mask: Tensor | undefined): Tensor {
  const [batch, length, size] = hidden.shape as [number, number, number];
  if (!mask) return mean(hidden, { axes: [1] });
  const isToken = cast(mask, "f32");
  const total = reshape(matmul(reshape(isToken, [batch, 1, length]), hidden), [batch, size]);
  // A row that fills a batch up has none.
  return div(total, maximum(sum(isToken, { axes: [1], keepDims: true }), 1));
}

export function modernbertForSequenceClassification(scope: Scope, config: ModernBertConfig, inputs: EncoderInputs, mode: ForwardMode): ModelOutputs {
  const { numLabels: outputSize, classifierPooling, classifierDropout, initializerRange } = config;
  const encoder = modernbertModel(scope.in("model"), config, inputs, mode);
  const pooled = classifierPooling === "cls" ? firstToken(encoder.lastHiddenState) : meanOfTokens(encoder.lastHiddenState, inputs.attentionMask);
  const hidden = dropout(predictionHead(scope.in("head"), config, pooled), classifierDropout, mode);
  return { ...encoder, logits: linear(scope.in("classifier"), hidden, { outputSize, initializerRange }) };
}

export function modernbertForTokenClassification(scope: Scope, config: ModernBertConfig, inputs: EncoderInputs, mode: ForwardMode): ModelOutputs {
  const { numLabels: outputSize, classifierDropout, initializerRange } = config;
  const encoder = modernbertModel(scope.in("model"), config, inputs, mode);
  const hidden = dropout(predictionHead(scope.in("head"), config, encoder.lastHiddenState), classifierDropout, mode);
  return { ...encoder, logits: linear(scope.in("classifier"), hidden, { outputSize, initializerRange }) };
}

export function modernbertForQuestionAnswering(scope: Scope, config: ModernBertConfig, inputs: EncoderInputs, mode: ForwardMode): ModelOutputs {
  const { classifierDropout, initializerRange } = config;
  const encoder = modernbertModel(scope.in("model"), config, inputs, mode);
  const hidden = dropout(predictionHead(scope.in("head"), config, encoder.lastHiddenState), classifierDropout, mode);
  return { ...encoder, ...answerScores(scope.in("classifier"), hidden, initializerRange) };
}

/** Scores by the word embeddings where they are tied. logits [batch, length, vocabulary]. */
export function modernbertForMaskedLM(scope: Scope, config: ModernBertConfig, inputs: EncoderInputs, mode: ForwardMode): ModelOutputs {
  const { vocabSize, hiddenSize, tieWordEmbeddings, decoderBias, initializerRange } = config;
  const encoder = modernbertModel(scope.in("model"), config, inputs, mode);
  const hidden = predictionHead(scope.in("head"), config, encoder.lastHiddenState);
  const decoder = scope.in("decoder");
  const weight = (tieWordEmbeddings ? scope.in("model.embeddings.tok_embeddings") : decoder).matrix("weight", [vocabSize, hiddenSize], normal(initializerRange));
  return { ...encoder, ...vocabularyScores({ hidden, weight, ...(decoderBias && { bias: decoder.parameter("bias", [vocabSize], zeros) }) }) };
}
