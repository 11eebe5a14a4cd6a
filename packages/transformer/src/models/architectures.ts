import { HeddleError } from "@heddle/kernels";
import type { ModelConfig } from "../config/index.ts";
import { albertForMaskedLM, albertForQuestionAnswering, albertForSequenceClassification, albertForTokenClassification, albertModel } from "../families/albert.ts";
import { bertForMaskedLM, bertForQuestionAnswering, bertForSequenceClassification, bertForTokenClassification, bertModel } from "../families/bert.ts";
import { distilbertForSequenceClassification, distilbertModel } from "../families/distilbert.ts";
import { electraForMaskedLM, electraForQuestionAnswering, electraForSequenceClassification, electraForTokenClassification, electraModel } from "../families/electra.ts";
import { mpnetForMaskedLM, mpnetForQuestionAnswering, mpnetForSequenceClassification, mpnetForTokenClassification, mpnetModel } from "../families/mpnet.ts";
import { robertaForMaskedLM, robertaForQuestionAnswering, robertaForSequenceClassification, robertaForTokenClassification, robertaModel } from "../families/roberta.ts";
import type { ForwardMode } from "../nn/forward-mode.ts";
import type { Scope } from "../nn/scope.ts";
import type { EncoderInputs, ModelOutputs } from "./outputs.ts";

/** What a model is for: decides its outputs and its loss. */
export type Head = "none" | "sequence-classification" | "token-classification" | "question-answering" | "masked-lm";

export interface Architecture {
  /** As in config.json's `architectures`. */
  readonly name: string;
  readonly modelType: ModelConfig["modelType"];
  readonly head: Head;
  /** Prefix of the encoder's parameters in checkpoints of this architecture; checkpoints of the bare encoder have none. */
  readonly basePrefix: string;
  forward(scope: Scope, config: ModelConfig, inputs: EncoderInputs, mode: ForwardMode): ModelOutputs;
}

type Forward<C extends ModelConfig> = (scope: Scope, config: C, inputs: EncoderInputs, mode: ForwardMode) => ModelOutputs;

function define<C extends ModelConfig>(name: string, modelType: C["modelType"], head: Head, basePrefix: string, forward: Forward<C>): Architecture {
  return { name, modelType, head, basePrefix, forward: (scope, config, inputs, mode) => forward(scope, config as C, inputs, mode) };
}

/** RoBERTa and XLM-R, which transformers names apart. */
const robertas = ([["Roberta", "roberta"], ["XLMRoberta", "xlm-roberta"]] as const).flatMap(([name, modelType]) => [
  define(`${name}Model`, modelType, "none", "roberta.", robertaModel),
  define(`${name}ForSequenceClassification`, modelType, "sequence-classification", "roberta.", robertaForSequenceClassification),
  define(`${name}ForTokenClassification`, modelType, "token-classification", "roberta.", robertaForTokenClassification),
  define(`${name}ForQuestionAnswering`, modelType, "question-answering", "roberta.", robertaForQuestionAnswering),
  define(`${name}ForMaskedLM`, modelType, "masked-lm", "roberta.", robertaForMaskedLM),
]);

const architectures: readonly Architecture[] = [
  define("AlbertModel", "albert", "none", "albert.", albertModel),
  define("AlbertForSequenceClassification", "albert", "sequence-classification", "albert.", albertForSequenceClassification),
  define("AlbertForTokenClassification", "albert", "token-classification", "albert.", albertForTokenClassification),
  define("AlbertForQuestionAnswering", "albert", "question-answering", "albert.", albertForQuestionAnswering),
  define("AlbertForMaskedLM", "albert", "masked-lm", "albert.", albertForMaskedLM),
  define("BertModel", "bert", "none", "bert.", bertModel),
  define("BertForSequenceClassification", "bert", "sequence-classification", "bert.", bertForSequenceClassification),
  define("BertForTokenClassification", "bert", "token-classification", "bert.", bertForTokenClassification),
  define("BertForQuestionAnswering", "bert", "question-answering", "bert.", bertForQuestionAnswering),
  define("BertForMaskedLM", "bert", "masked-lm", "bert.", bertForMaskedLM),
  define("DistilBertModel", "distilbert", "none", "distilbert.", distilbertModel),
  define("DistilBertForSequenceClassification", "distilbert", "sequence-classification", "distilbert.", distilbertForSequenceClassification),
  define("ElectraModel", "electra", "none", "electra.", electraModel),
  define("ElectraForSequenceClassification", "electra", "sequence-classification", "electra.", electraForSequenceClassification),
  define("ElectraForTokenClassification", "electra", "token-classification", "electra.", electraForTokenClassification),
  define("ElectraForQuestionAnswering", "electra", "question-answering", "electra.", electraForQuestionAnswering),
  define("ElectraForMaskedLM", "electra", "masked-lm", "electra.", electraForMaskedLM),
  define("MPNetModel", "mpnet", "none", "mpnet.", mpnetModel),
  define("MPNetForSequenceClassification", "mpnet", "sequence-classification", "mpnet.", mpnetForSequenceClassification),
  define("MPNetForTokenClassification", "mpnet", "token-classification", "mpnet.", mpnetForTokenClassification),
  define("MPNetForQuestionAnswering", "mpnet", "question-answering", "mpnet.", mpnetForQuestionAnswering),
  define("MPNetForMaskedLM", "mpnet", "masked-lm", "mpnet.", mpnetForMaskedLM),
  ...robertas,
];

/** Throws ARCHITECTURE_UNKNOWN with the known names. */
export function architectureByName(name: string): Architecture {
  const found = architectures.find((architecture) => architecture.name === name);
  if (!found) throw new HeddleError("ARCHITECTURE_UNKNOWN", `[model] no architecture ${JSON.stringify(name)}; known: ${architectures.map((known) => known.name).join(", ")}`);
  return found;
}

/** The architecture of a family for a head. Throws ARCHITECTURE_UNKNOWN where the family has no such head. */
export function architectureFor(modelType: string, head: Head): Architecture {
  const found = architectures.find((architecture) => architecture.modelType === modelType && architecture.head === head);
  if (!found) {
    const heads = architectures.filter((architecture) => architecture.modelType === modelType).map((architecture) => architecture.head);
    throw new HeddleError("ARCHITECTURE_UNKNOWN", `[model] family ${modelType} has no head ${head}; it has ${heads.join(", ") || "none"}`);
  }
  return found;
}
