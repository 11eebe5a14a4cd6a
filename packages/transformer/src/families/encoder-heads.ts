import { reshape, slice, type Tensor } from "@heddle/kernels";
import type { EncoderConfig, HiddenAct } from "../config/index.ts";
import type { EncoderInputs } from "../models/inputs.ts";
import type { EncoderOutputs, ModelOutputs } from "../models/outputs.ts";
import { dropout, type ForwardMode } from "../nn/forward-mode.ts";
import { layerNorm } from "../nn/layer-norm.ts";
import { linear } from "../nn/linear.ts";
import { normal, zeros, type Scope } from "../nn/scope.ts";
import { vocabularyScores } from "../nn/vocabulary-scores.ts";

// What BERT's descendants put on their encoders. Each takes the encoder's outputs and adds its own.

const classifierDropout = (config: EncoderConfig): number => config.classifierDropout ?? config.hiddenDropoutProb;

/** [batch, length, hidden] → [batch, hidden]. */
export function firstToken(hidden: Tensor): Tensor {
  const [batch, , size] = hidden.shape as [number, number, number];
  return reshape(slice(hidden, { axis: 1, begin: 0, end: 1 }), [batch, size]);
}

/** tanh(W h₀ + b) of the first token. [batch, length, hidden] → [batch, hidden]. */
export function pooler(scope: Scope, { hiddenSize: outputSize, initializerRange }: EncoderConfig, lastHiddenState: Tensor): Tensor {
  return linear(scope, firstToken(lastHiddenState), { outputSize, activation: "tanh", initializerRange });
}

/** A linear layer over the pooler's output: `classifier`. logits [batch, labels]. */
export function pooledSequenceClassification(scope: Scope, config: EncoderConfig, encoder: EncoderOutputs, pooled: Tensor, mode: ForwardMode): ModelOutputs {
  const hidden = dropout(pooled, classifierDropout(config), mode);
  return { ...encoder, logits: linear(scope.in("classifier"), hidden, { outputSize: config.numLabels, initializerRange: config.initializerRange }) };
}

/** A hidden layer over the first token, then the scores: `dense`, `out_proj`. logits [batch, labels]. */
export function sequenceClassification(scope: Scope, config: EncoderConfig, encoder: EncoderOutputs, activation: "tanh" | "gelu", mode: ForwardMode): ModelOutputs {
  const { hiddenSize, numLabels, initializerRange } = config;
  const drop = (x: Tensor) => dropout(x, classifierDropout(config), mode);
  const hidden = linear(scope.in("dense"), drop(firstToken(encoder.lastHiddenState)), { outputSize: hiddenSize, activation, initializerRange });
  return { ...encoder, logits: linear(scope.in("out_proj"), drop(hidden), { outputSize: numLabels, initializerRange }) };
}

/** logits [batch, length, labels]. */
function tokenClassification(scope: Scope, config: EncoderConfig, encoder: EncoderOutputs, mode: ForwardMode): ModelOutputs {
  const hidden = dropout(encoder.lastHiddenState, classifierDropout(config), mode);
  return { ...encoder, logits: linear(scope.in("classifier"), hidden, { outputSize: config.numLabels, initializerRange: config.initializerRange }) };
}

/** A linear layer's two columns: startLogits, endLogits [batch, length] of hidden [batch, length, size]. */
export function answerScores(scope: Scope, hidden: Tensor, initializerRange: number): Required<Pick<ModelOutputs, "startLogits" | "endLogits">> {
  const [batch, length] = hidden.shape as [number, number];
  const both = linear(scope, hidden, { outputSize: 2, initializerRange });
  const column = (begin: number) => reshape(slice(both, { axis: 2, begin, end: begin + 1 }), [batch, length]);
  return { startLogits: column(0), endLogits: column(1) };
}

const questionAnswering = (scope: Scope, config: EncoderConfig, encoder: EncoderOutputs): ModelOutputs => ({
  ...encoder,
  ...answerScores(scope.in("qa_outputs"), encoder.lastHiddenState, config.initializerRange),
});

type Encoder<C> = (scope: Scope, config: C, inputs: EncoderInputs, mode: ForwardMode) => EncoderOutputs;

/** Heads that a family leaves as they are, over the encoder whose parameters are under `base`. */
export const plainHeads = <C extends EncoderConfig>(base: string, encoder: Encoder<C>) => ({
  "token-classification": (scope: Scope, config: C, inputs: EncoderInputs, mode: ForwardMode): ModelOutputs => tokenClassification(scope, config, encoder(scope.in(base), config, inputs, mode), mode),
  "question-answering": (scope: Scope, config: C, inputs: EncoderInputs, mode: ForwardMode): ModelOutputs => questionAnswering(scope, config, encoder(scope.in(base), config, inputs, mode)),
});

export interface MaskedLMScopes {
  readonly dense: Scope;
  readonly norm: Scope;
  /** The word embeddings, by which tokens are scored. */
  readonly words: Scope;
  /** Holds the scores' `bias`. */
  readonly bias: Scope;
}

/** norm(activation(W h + b)), scored by the word embeddings. logits [batch, length, vocabulary]. */
export function maskedLM(config: EncoderConfig, encoder: EncoderOutputs, scopes: MaskedLMScopes, { size = config.hiddenSize, activation = config.hiddenAct }: { size?: number; activation?: HiddenAct } = {}): ModelOutputs {
  const { vocabSize, layerNormEps, initializerRange } = config;
  const hidden = layerNorm(scopes.norm, linear(scopes.dense, encoder.lastHiddenState, { outputSize: size, activation, initializerRange }), layerNormEps);
  const table = scopes.words.matrix("weight", [vocabSize, size], normal(initializerRange));
  return { ...encoder, ...vocabularyScores({ hidden, weight: table, bias: scopes.bias.parameter("bias", [vocabSize], zeros) }) };
}
