import type { BERT4RecConfig } from "../config/bert4rec.ts";
import type { EncoderInputs } from "../models/inputs.ts";
import type { EncoderOutputs, ModelOutputs } from "../models/outputs.ts";
import type { ForwardMode } from "../nn/forward-mode.ts";
import type { Scope } from "../nn/scope.ts";
import { bertLayers } from "./bert.ts";
import { maskedLM } from "./encoder-heads.ts";
import { historyEmbeddings, isItem } from "./sasrec.ts";

// BERT4Rec (Sun et al. 2019, arXiv:1904.06690): BERT over the items that a user touched, some of which are hidden behind a mask and
// told from those on both sides; what comes next is what a mask behind the newest item hides. Histories are padded on the left, so
// that the newest place is always the last one.

/** Sections 3.2 to 3.4. Hidden states [batch, length, hidden]: the embeddings' and every layer's. */
export function bert4recModel(scope: Scope, config: BERT4RecConfig, { inputIds }: Pick<EncoderInputs, "inputIds">, mode: ForwardMode): EncoderOutputs {
  const embedded = historyEmbeddings(scope, { ...config, scaleEmbeddings: false, embeddingNorm: true, positionEmbeddingType: "learned", attendToPadding: false }, inputIds, mode);
  return bertLayers(scope, config, embedded, isItem(inputIds, config.padTokenId), mode);
}

/** Equation 7: how well each item would stand at each place, by its own embedding. logits [batch, length, vocabulary]. */
export function bert4recForNextItem(scope: Scope, config: BERT4RecConfig, inputs: EncoderInputs, mode: ForwardMode): ModelOutputs {
  const transform = scope.in("transform");
  return maskedLM(config, bert4recModel(scope, config, inputs, mode), { dense: transform.in("dense"), norm: transform.in("LayerNorm"), words: scope.in("item_embeddings"), bias: scope.in("item_scores") });
}
