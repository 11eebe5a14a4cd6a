import type { ElectraConfig } from "../config/index.ts";
import type { EncoderInputs } from "../models/inputs.ts";
import type { EncoderOutputs, ModelOutputs } from "../models/outputs.ts";
import type { ForwardMode } from "../nn/forward-mode.ts";
import { linear } from "../nn/linear.ts";
import type { Scope } from "../nn/scope.ts";
import { bertEmbeddings, bertLayers } from "./bert.ts";
import { maskedLM, sequenceClassification } from "./encoder-heads.ts";

// ELECTRA (Clark et al. 2020, arXiv:2003.10555): BERT whose embeddings may be narrower than its layers.

/** Hidden states [batch, length, hidden]: the projected embeddings' and every layer's. */
export function electraModel(scope: Scope, config: ElectraConfig, inputs: EncoderInputs, mode: ForwardMode): EncoderOutputs {
  const { embeddingSize: size, hiddenSize: outputSize, initializerRange } = config;
  const embedded = bertEmbeddings(scope.in("embeddings"), config, inputs, mode, { size });
  const projected = size === outputSize ? embedded : linear(scope.in("embeddings_project"), embedded, { outputSize, initializerRange });
  return bertLayers(scope, config, projected, inputs.attentionMask, mode);
}

export const electraForSequenceClassification = (scope: Scope, config: ElectraConfig, inputs: EncoderInputs, mode: ForwardMode): ModelOutputs =>
  sequenceClassification(scope.in("classifier"), config, electraModel(scope.in("electra"), config, inputs, mode), "gelu", mode);

/** The generator, which fills masks in. */
export function electraForMaskedLM(scope: Scope, config: ElectraConfig, inputs: EncoderInputs, mode: ForwardMode): ModelOutputs {
  const predictions = scope.in("generator_predictions");
  const encoder = electraModel(scope.in("electra"), config, inputs, mode);
  const scopes = { dense: predictions.in("dense"), norm: predictions.in("LayerNorm"), words: scope.in("electra.embeddings.word_embeddings"), bias: scope.in("generator_lm_head") };
  return maskedLM(config, encoder, scopes, { size: config.embeddingSize, activation: "gelu" });
}
