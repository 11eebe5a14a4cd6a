import { HeddleError } from "@heddle/kernels";
import type { ModelConfig } from "../config/index.ts";
import { albertEncoder, albertForMaskedLM, albertForSequenceClassification, albertModel } from "../families/albert.ts";
import { bertEncoder, bertForMaskedLM, bertForSequenceClassification, bertModel } from "../families/bert.ts";
import { distilbertForSequenceClassification, distilbertModel } from "../families/distilbert.ts";
import { electraForMaskedLM, electraForSequenceClassification, electraModel } from "../families/electra.ts";
import { plainHeads } from "../families/encoder-heads.ts";
import { mpnetEncoder, mpnetForMaskedLM, mpnetForSequenceClassification, mpnetModel } from "../families/mpnet.ts";
import { robertaEncoder, robertaForMaskedLM, robertaForSequenceClassification, robertaModel } from "../families/roberta.ts";
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

/** What transformers calls a family's model with a head. */
const SUFFIXES: Readonly<Record<Head, string>> = {
  none: "Model",
  "sequence-classification": "ForSequenceClassification",
  "token-classification": "ForTokenClassification",
  "question-answering": "ForQuestionAnswering",
  "masked-lm": "ForMaskedLM",
};

/** @param base where checkpoints with a head keep the encoder's parameters */
function family<C extends ModelConfig>(name: string, modelType: C["modelType"], base: string, heads: Partial<Record<Head, Forward<C>>>): Architecture[] {
  return (Object.entries(heads) as [Head, Forward<C>][]).map(([head, forward]) => ({
    name: `${name}${SUFFIXES[head]}`,
    modelType,
    head,
    basePrefix: `${base}.`,
    forward: (scope, config, inputs, mode) => forward(scope, config as C, inputs, mode),
  }));
}

const roberta = { none: robertaModel, "sequence-classification": robertaForSequenceClassification, ...plainHeads("roberta", robertaEncoder), "masked-lm": robertaForMaskedLM };

const architectures: readonly Architecture[] = [
  ...family("Albert", "albert", "albert", { none: albertModel, "sequence-classification": albertForSequenceClassification, ...plainHeads("albert", albertEncoder), "masked-lm": albertForMaskedLM }),
  ...family("Bert", "bert", "bert", { none: bertModel, "sequence-classification": bertForSequenceClassification, ...plainHeads("bert", bertEncoder), "masked-lm": bertForMaskedLM }),
  ...family("DistilBert", "distilbert", "distilbert", { none: distilbertModel, "sequence-classification": distilbertForSequenceClassification }),
  ...family("Electra", "electra", "electra", { none: electraModel, "sequence-classification": electraForSequenceClassification, ...plainHeads("electra", electraModel), "masked-lm": electraForMaskedLM }),
  ...family("MPNet", "mpnet", "mpnet", { none: mpnetModel, "sequence-classification": mpnetForSequenceClassification, ...plainHeads("mpnet", mpnetEncoder), "masked-lm": mpnetForMaskedLM }),
  ...family("Roberta", "roberta", "roberta", roberta),
  ...family("XLMRoberta", "xlm-roberta", "roberta", roberta),
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
