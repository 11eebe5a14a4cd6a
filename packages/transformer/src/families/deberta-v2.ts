import { add, asTensor, attention, cast, mul, reshape, slice, sub, type Tensor } from "@heddle/kernels";
import type { DebertaV2Config } from "../config/index.ts";
import type { EncoderInputs } from "../models/inputs.ts";
import type { EncoderOutputs, ModelOutputs } from "../models/outputs.ts";
import { disentangledBias, distanceRows, textsAtOnce, type DistanceRows } from "../nn/disentangled-attention.ts";
import { embedding } from "../nn/embedding.ts";
import { dropout, type ForwardMode } from "../nn/forward-mode.ts";
import { mergeHeads, splitHeads } from "../nn/heads.ts";
import { layerNorm } from "../nn/layer-norm.ts";
import { linear } from "../nn/linear.ts";
import { firstPositions } from "../nn/position-ids.ts";
import { inPieces } from "../nn/pieces.ts";
import { normal, type Scope } from "../nn/scope.ts";
import { typesOf } from "./bert.ts";
import { firstToken, maskedLM } from "./encoder-heads.ts";

// DeBERTa-v2 and v3 (He et al. 2020, arXiv:2006.03654, and 2021, arXiv:2111.09543): BERT whose scores are sums over contents and
// distances of tokens.

/** Word + position + token type where there are such, normalised; 0 for padding. ids [batch, length] → [batch, length, hidden]. */
function embeddings(scope: Scope, config: DebertaV2Config, { inputIds, tokenTypeIds, attentionMask }: EncoderInputs, mode: ForwardMode): Tensor {
  const { vocabSize, hiddenSize, embeddingSize: size = hiddenSize, typeVocabSize, maxPositionEmbeddings, positionBiasedInput, padTokenId, layerNormEps, hiddenDropoutProb, initializerRange } = config;
  const [batch, length] = inputIds.shape as [number, number];
  let sum = embedding(scope.in("word_embeddings"), inputIds, { count: vocabSize, size, initializerRange, paddingIndex: padTokenId });
  if (positionBiasedInput) sum = add(sum, firstPositions(scope.in("position_embeddings").parameter("weight", [maxPositionEmbeddings, size], normal(initializerRange)), length, size));
  if (typeVocabSize > 0) sum = add(sum, typesOf(scope.in("token_type_embeddings"), tokenTypeIds, { count: typeVocabSize, size, initializerRange }));
  if (size !== hiddenSize) sum = linear(scope.in("embed_proj"), sum, { outputSize: hiddenSize, initializerRange, bias: false });
  const normalized = layerNorm(scope.in("LayerNorm"), sum, layerNormEps);
  return dropout(attentionMask ? mul(normalized, reshape(cast(attentionMask, "f32"), [batch, length, 1])) : normalized, hiddenDropoutProb, mode);
}

/** What all layers share of the tokens' places. */
interface Place {
  /** f32 [batch, length], 0 for padding. */
  readonly isToken: Tensor | undefined;
  /** Embeddings of distances, [2 · span, hidden], and which distance has which. */
  readonly distances: { readonly table: Tensor; readonly rows: DistanceRows } | undefined;
}

function placeOf(scope: Scope, config: DebertaV2Config, { inputIds, attentionMask }: EncoderInputs): Place {
  const { hiddenSize, maxPositionEmbeddings, maxRelativePositions, positionBuckets: buckets, relativeAttention, normRelEbd, layerNormEps, initializerRange } = config;
  const isToken = attentionMask && cast(attentionMask, "f32");
  if (!relativeAttention) return { isToken, distances: undefined };
  const maxDistance = maxRelativePositions < 1 ? maxPositionEmbeddings : maxRelativePositions;
  const span = buckets > 0 ? buckets : maxDistance;
  const learned = asTensor(scope.in("rel_embeddings").parameter("weight", [2 * span, hiddenSize], normal(initializerRange)));
  const table = normRelEbd.includes("layer_norm") ? layerNorm(scope.in("LayerNorm"), learned, layerNormEps) : learned;
  return { isToken, distances: { table, rows: distanceRows(inputIds.shape[1]!, maxPositionEmbeddings, { span, buckets, maxDistance }) } };
}

/** Far below every score. */
const MASKED = 1e9;

/**
 * As in transformers, padding neither sees nor is seen: all keys are alike to its queries, which are 0, so they give the mean of all
 * values.
 *
 * @param bias [batch, heads, length, length]
 */
function withoutPadding(bias: Tensor | undefined, isToken: Tensor | undefined): Tensor | undefined {
  if (!isToken) return bias;
  const [batch, length] = isToken.shape as [number, number];
  const ofQuery = reshape(isToken, [batch, 1, length, 1]);
  const isPair = mul(ofQuery, reshape(isToken, [batch, 1, 1, length]));
  const masked = mul(sub(isPair, ofQuery), MASKED);
  return bias ? add(mul(bias, isPair), masked) : masked;
}

/** Section 3.1 of the paper. x [batch, length, hidden] → same. */
function selfAttention(scope: Scope, config: DebertaV2Config, x: Tensor, { isToken, distances }: Place, mode: ForwardMode): Tensor {
  const { hiddenSize: outputSize, numAttentionHeads: heads, posAttType, shareAttKey, initializerRange, hiddenDropoutProb, attentionProbsDropoutProb: probability } = config;
  const [batch, length] = x.shape as [number, number];
  const project = (name: string, of: Tensor) => linear(scope.in(name), of, { outputSize, initializerRange });
  const [contentOfQueries, k, v] = ["query_proj", "key_proj", "value_proj"].map((name) => splitHeads(project(name, x), heads)) as [Tensor, Tensor, Tensor];
  const q = isToken ? mul(contentOfQueries, reshape(isToken, [batch, length, 1, 1])) : contentOfQueries;
  const [usesKeyPlaces, usesQueryPlaces] = [posAttType.includes("c2p"), posAttType.includes("p2c")];
  const scale = 1 / Math.sqrt((outputSize / heads) * (1 + Number(usesKeyPlaces) + Number(usesQueryPlaces)));
  const table = distances && dropout(distances.table, hiddenDropoutProb, mode);
  const places = (name: string) => table && reshape(mul(project(name, table), scale), [table.shape[0]!, heads, outputSize / heads]);
  const ofKeys = usesKeyPlaces ? places(shareAttKey ? "key_proj" : "pos_key_proj") : undefined;
  const ofQueries = usesQueryPlaces ? places(shareAttKey ? "query_proj" : "pos_query_proj") : undefined;

  const context = inPieces(batch, textsAtOnce(heads, length), (begin, end) => {
    const [queries, keys, values] = [q, k, v].map((all) => slice(all, { axis: 0, begin, end })) as [Tensor, Tensor, Tensor];
    const byPlaces = distances && disentangledBias({ queries, keys }, { ofKeys, ofQueries }, distances.rows);
    const bias = withoutPadding(byPlaces, isToken && slice(isToken, { axis: 0, begin, end }));
    return attention(queries, keys, values, { scale, ...(bias && { bias }), ...(mode.dropoutKey && probability > 0 && { dropout: { probability, key: mode.dropoutKey } }) });
  });
  return mergeHeads(context);
}

/** Post-norm: LayerNorm(x + sublayer(x)), twice. */
function layer(scope: Scope, config: DebertaV2Config, x: Tensor, place: Place, mode: ForwardMode): Tensor {
  const { hiddenSize, intermediateSize, hiddenAct, hiddenDropoutProb, layerNormEps, initializerRange } = config;
  const residual = (output: Scope, before: Tensor, inner: Tensor) => {
    const projected = linear(output.in("dense"), inner, { outputSize: hiddenSize, initializerRange });
    return layerNorm(output.in("LayerNorm"), add(before, dropout(projected, hiddenDropoutProb, mode)), layerNormEps);
  };
  const attended = residual(scope.in("attention.output"), x, selfAttention(scope.in("attention.self"), config, x, place, mode));
  const expanded = linear(scope.in("intermediate.dense"), attended, { outputSize: intermediateSize, activation: hiddenAct, initializerRange });
  return residual(scope.in("output"), attended, expanded);
}

/** Hidden states [batch, length, hidden]: the embeddings' and every layer's. */
export function debertaV2Model(scope: Scope, config: DebertaV2Config, inputs: EncoderInputs, mode: ForwardMode): EncoderOutputs {
  const encoder = scope.in("encoder");
  const hiddenStates = [embeddings(scope.in("embeddings"), config, inputs, mode)];
  const place = placeOf(encoder, config, inputs);
  for (let i = 0; i < config.numHiddenLayers; i++) hiddenStates.push(layer(encoder.in("layer").in(i), config, hiddenStates.at(-1)!, place, mode));
  return { hiddenStates, lastHiddenState: hiddenStates.at(-1)! };
}

/** A hidden layer over the first token, then the scores: `pooler`, `classifier`. logits [batch, labels]. */
export function debertaV2ForSequenceClassification(scope: Scope, config: DebertaV2Config, inputs: EncoderInputs, mode: ForwardMode): ModelOutputs {
  const { hiddenSize, numLabels, poolerDropout, poolerHiddenAct, hiddenDropoutProb, clsDropout = hiddenDropoutProb, initializerRange } = config;
  const encoder = debertaV2Model(scope.in("deberta"), config, inputs, mode);
  const pooled = linear(scope.in("pooler.dense"), dropout(firstToken(encoder.lastHiddenState), poolerDropout, mode), { outputSize: hiddenSize, activation: poolerHiddenAct, initializerRange });
  return { ...encoder, logits: linear(scope.in("classifier"), dropout(pooled, clsDropout, mode), { outputSize: numLabels, initializerRange }) };
}

/** The decoder's matrix is the word embedding (tied). logits [batch, length, vocabulary]. */
export function debertaV2ForMaskedLM(scope: Scope, config: DebertaV2Config, inputs: EncoderInputs, mode: ForwardMode): ModelOutputs {
  const { hiddenSize, embeddingSize: size = hiddenSize, legacy } = config;
  const encoder = debertaV2Model(scope.in("deberta"), config, inputs, mode);
  const head = scope.in(legacy ? "cls.predictions" : "lm_predictions.lm_head");
  const transform = legacy ? head.in("transform") : head;
  return maskedLM(config, encoder, { dense: transform.in("dense"), norm: transform.in("LayerNorm"), words: scope.in("deberta.embeddings.word_embeddings"), bias: head }, { size });
}
