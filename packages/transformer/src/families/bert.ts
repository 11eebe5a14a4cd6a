import { add, attention, type Tensor, type TensorLike } from "@heddle/kernels";
import type { BertConfig, EncoderConfig } from "../config/index.ts";
import { embedding } from "../nn/embedding.ts";
import { dropout, type ForwardMode } from "../nn/forward-mode.ts";
import { mergeHeads, splitHeads } from "../nn/heads.ts";
import { layerNorm } from "../nn/layer-norm.ts";
import { linear } from "../nn/linear.ts";
import { firstPositions } from "../nn/position-ids.ts";
import { normal, type Scope } from "../nn/scope.ts";
import type { EncoderInputs } from "../models/inputs.ts";
import type { EncoderOutputs, ModelOutputs } from "../models/outputs.ts";
import { maskedLM, pooledSequenceClassification, pooler } from "./encoder-heads.ts";

// BERT (Devlin et al. 2018, arXiv:1810.04805), with the layout of transformers' modeling_bert.py.

interface EmbeddingOptions {
  /** Of the tables; `hiddenSize` by default. */
  readonly size?: number;
  /** Rows of the table of token types, 0 for none; `typeVocabSize` by default. */
  readonly tokenTypes?: number;
  /** Rows of the position table that each token takes, from its parameter [rows, size]; by default the first ones, in order. */
  readonly positions?: { readonly rows: number; of(table: TensorLike, size: number): Tensor };
}

/** Word + position + token type where the family has such, normalised. inputIds, tokenTypeIds [batch, length] → [batch, length, size]. */
export function bertEmbeddings(scope: Scope, config: EncoderConfig, { inputIds, tokenTypeIds }: EncoderInputs, mode: ForwardMode, options: EmbeddingOptions = {}): Tensor {
  const { vocabSize, maxPositionEmbeddings, initializerRange } = config;
  const { size = config.hiddenSize, tokenTypes = config.typeVocabSize } = options;
  const { rows, of } = options.positions ?? { rows: maxPositionEmbeddings, of: (table: TensorLike) => firstPositions(table, inputIds.shape[1]!, size) };
  const words = embedding(scope.in("word_embeddings"), inputIds, { count: vocabSize, size, initializerRange, paddingIndex: config.padTokenId });
  const positionTable = scope.in("position_embeddings").parameter("weight", [rows, size], normal(initializerRange));
  const placed = add(words, of(positionTable, size));
  const sum = tokenTypes === 0 ? placed : add(placed, typesOf(scope.in("token_type_embeddings"), tokenTypeIds, { count: tokenTypes, size, initializerRange }));
  return dropout(layerNorm(scope.in("LayerNorm"), sum, config.layerNormEps), config.hiddenDropoutProb, mode);
}

/** Without ids every token is of type 0. */
export function typesOf(scope: Scope, ids: Tensor | undefined, table: { count: number; size: number; initializerRange: number }): Tensor {
  return ids ? embedding(scope, ids, table) : firstPositions(scope.parameter("weight", [table.count, table.size], normal(table.initializerRange)), 1, table.size);
}

type SelfAttentionConfig = Pick<EncoderConfig, "hiddenSize" | "numAttentionHeads" | "initializerRange" | "attentionProbsDropoutProb">;

/** Section 3.2.2 of Vaswani et al. 2017: softmax(Q Kᵀ / √d) V per head. x [batch, length, hidden] → same. */
export function selfAttention(scope: Scope, config: SelfAttentionConfig, x: Tensor, attentionMask: Tensor | undefined, mode: ForwardMode, { bias = true }: { readonly bias?: boolean } = {}): Tensor {
  const { hiddenSize: outputSize, numAttentionHeads: heads, initializerRange, attentionProbsDropoutProb: probability } = config;
  const project = (name: string) => splitHeads(linear(scope.in(name), x, { outputSize, initializerRange, bias }), heads);
  return mergeHeads(
    attention(project("query"), project("key"), project("value"), {
      ...(attentionMask && { mask: attentionMask }),
      ...(mode.dropoutKey && probability > 0 && { dropout: { probability, key: mode.dropoutKey } }),
    }),
  );
}

/** Post-norm: LayerNorm(x + sublayer(x)), twice. */
function layer(scope: Scope, config: EncoderConfig, x: Tensor, attentionMask: Tensor | undefined, mode: ForwardMode): Tensor {
  const { hiddenSize, intermediateSize, hiddenAct, hiddenDropoutProb, layerNormEps, initializerRange } = config;
  const residual = (output: Scope, before: Tensor, inner: Tensor) => {
    const projected = linear(output.in("dense"), inner, { outputSize: hiddenSize, initializerRange });
    return layerNorm(output.in("LayerNorm"), add(before, dropout(projected, hiddenDropoutProb, mode)), layerNormEps);
  };
  const attended = residual(scope.in("attention.output"), x, selfAttention(scope.in("attention.self"), config, x, attentionMask, mode));
  const expanded = linear(scope.in("intermediate.dense"), attended, { outputSize: intermediateSize, activation: hiddenAct, initializerRange });
  return residual(scope.in("output"), attended, expanded);
}

/** The layers under `encoder.layer`. Embedded tokens [batch, length, hidden] → those, and every layer's hidden states. */
export function bertLayers(scope: Scope, config: EncoderConfig, embedded: Tensor, attentionMask: Tensor | undefined, mode: ForwardMode): EncoderOutputs {
  const hiddenStates = [embedded];
  for (let i = 0; i < config.numHiddenLayers; i++) {
    hiddenStates.push(layer(scope.in("encoder.layer").in(i), config, hiddenStates.at(-1)!, attentionMask, mode));
  }
  return { hiddenStates, lastHiddenState: hiddenStates.at(-1)! };
}

/** Hidden states [batch, length, hidden]: the embeddings' and every layer's. */
export function bertEncoder(scope: Scope, config: BertConfig, inputs: EncoderInputs, mode: ForwardMode): EncoderOutputs {
  return bertLayers(scope, config, bertEmbeddings(scope.in("embeddings"), config, inputs, mode), inputs.attentionMask, mode);
}

/** Plain hidden states and the pooler's output. Checkpoints keep these parameters without the `bert.` prefix. */
export function bertModel(scope: Scope, config: BertConfig, inputs: EncoderInputs, mode: ForwardMode): Required<Pick<ModelOutputs, "poolerOutput">> & EncoderOutputs {
  const encoder = bertEncoder(scope, config, inputs, mode);
  return { ...encoder, poolerOutput: pooler(scope.in("pooler.dense"), config, encoder.lastHiddenState) };
}

export function bertForSequenceClassification(scope: Scope, config: BertConfig, inputs: EncoderInputs, mode: ForwardMode): ModelOutputs {
  const { poolerOutput, ...encoder } = bertModel(scope.in("bert"), config, inputs, mode);
  return pooledSequenceClassification(scope, config, encoder, poolerOutput, mode);
}

/** The decoder's matrix is the word embedding (tied). logits [batch, length, vocabulary]. */
export function bertForMaskedLM(scope: Scope, config: BertConfig, inputs: EncoderInputs, mode: ForwardMode): ModelOutputs {
  const encoder = bertEncoder(scope.in("bert"), config, inputs, mode);
  const transform = scope.in("cls.predictions.transform");
  return maskedLM(config, encoder, { dense: transform.in("dense"), norm: transform.in("LayerNorm"), words: scope.in("bert.embeddings.word_embeddings"), bias: scope.in("cls.predictions") });
}
