import { HeddleError, type Tensor } from "@heddle/kernels";
import type { LlamaConfig, LlamaLikeConfig, MistralConfig, ModelConfig, Phi3Config, Qwen2Config, Qwen3Config, SmolLM3Config, WhisperConfig } from "../config/index.ts";
import { albertEncoder, albertForMaskedLM, albertForSequenceClassification, albertModel } from "../families/albert.ts";
import { bartDecode, bartEncode, bartForConditionalGeneration, bartForSequenceClassification, bartModel, bartScores, crossKeysAndValues } from "../families/bart.ts";
import { bertEncoder, bertForMaskedLM, bertForSequenceClassification, bertModel } from "../families/bert.ts";
import { bert4recForNextItem, bert4recModel } from "../families/bert4rec.ts";
import { debertaV2ForMaskedLM, debertaV2ForSequenceClassification, debertaV2Model } from "../families/deberta-v2.ts";
import { clipModel } from "../families/clip.ts";
import { distilbertForMaskedLM, distilbertForQuestionAnswering, distilbertForSequenceClassification, distilbertForTokenClassification, distilbertModel } from "../families/distilbert.ts";
import type { DecoderModel } from "../families/decoder.ts";
import { decoderHeads } from "../families/decoder-heads.ts";
import { electraForMaskedLM, electraForSequenceClassification, electraModel } from "../families/electra.ts";
import { plainHeads } from "../families/encoder-heads.ts";
import { gemma2Model } from "../families/gemma2.ts";
import { gemma3Model } from "../families/gemma3.ts";
import { gpt2ForCausalLM, gpt2ForSequenceClassification, gpt2Model } from "../families/gpt2.ts";
import { gptNeoXForCausalLM, gptNeoXForSequenceClassification, gptNeoXModel } from "../families/gpt-neox.ts";
import { hstuForNextItem, hstuModel } from "../families/hstu.ts";
import { llamaModel } from "../families/llama.ts";
import { marianDecode, marianEncode, marianModel, marianMTModel } from "../families/marian.ts";
import { mistralModel } from "../families/mistral.ts";
import { modernbertForMaskedLM, modernbertForQuestionAnswering, modernbertForSequenceClassification, modernbertForTokenClassification, modernbertModel } from "../families/modernbert.ts";
import { mpnetEncoder, mpnetForMaskedLM, mpnetForSequenceClassification, mpnetModel } from "../families/mpnet.ts";
import { phi3Model } from "../families/phi3.ts";
import { qwen2Model } from "../families/qwen2.ts";
import { qwen3Model } from "../families/qwen3.ts";
import { robertaEncoder, robertaForMaskedLM, robertaForSequenceClassification, robertaModel } from "../families/roberta.ts";
import { sasrecForNextItem, sasrecModel } from "../families/sasrec.ts";
import { smollm3Model } from "../families/smollm3.ts";
import { t5CrossKeysAndValues, t5Decode, t5Encode, t5ForConditionalGeneration, t5Model, t5Scores } from "../families/t5.ts";
import { whisperCrossKeysAndValues, whisperDecode, whisperEncode, whisperForConditionalGeneration, whisperModel, whisperScores } from "../families/whisper.ts";
import { vitForImageClassification, vitModel } from "../families/vit.ts";
import type { CrossSource, KeysAndValues } from "../nn/cross-attention.ts";
import type { ForwardMode } from "../nn/forward-mode.ts";
import type { KeyValueCache } from "../nn/key-value-cache.ts";
import type { Scope } from "../nn/scope.ts";
import { ONE_ITEM, ONE_TOKEN, ONE_TOKEN_EACH, ONE_TYPED_TOKEN, oneImage, requireInputs, type EncoderInputs, type InputName, type ModelInputs, type SmallestInputs } from "./inputs.ts";
import type { Decoder, EncoderOutputs, ModelOutputs } from "./outputs.ts";

/** What a model is for: decides its outputs and its loss. */
export type Head = "none" | "sequence-classification" | "token-classification" | "question-answering" | "masked-lm" | "causal-lm" | "seq2seq-lm" | "image-classification" | "next-item";

export interface Architecture {
  /** As in config.json's `architectures`. */
  readonly name: string;
  readonly modelType: ModelConfig["modelType"];
  readonly head: Head;
  /** Prefix of the bare model's parameters in checkpoints of this architecture; checkpoints of the bare model have none. */
  readonly basePrefix: string;
  /** The smallest inputs that the model takes. */
  smallestInputs(config: ModelConfig): SmallestInputs;
  /** Of a model with a half that reads and one that writes: the two by themselves, for generation. */
  readonly halves?: Halves;
  /** Throws INPUT_MISSING. */
  forward(scope: Scope, config: ModelConfig, inputs: ModelInputs, mode: ForwardMode): ModelOutputs;
}

/** `base` holds the bare model's parameters, `scope` those of the head. */
export interface Halves<C = ModelConfig> {
  encode(base: Scope, config: C, inputs: Pick<ModelInputs, "inputIds" | "inputFeatures" | "attentionMask">, mode: ForwardMode): EncoderOutputs;
  crossKeysAndValues(base: Scope, config: C, encoded: Tensor): readonly KeysAndValues[];
  decode(base: Scope, config: C, ids: Tensor, source: CrossSource, mode: ForwardMode, cache?: KeyValueCache): EncoderOutputs;
  scores(scope: Scope, config: C, hidden: Tensor): Decoder;
}

type Forward<C, I> = (scope: Scope, config: C, inputs: I, mode: ForwardMode) => ModelOutputs;

/** What transformers calls a family's model with a head. */
const SUFFIXES: Readonly<Record<Head, string>> = {
  none: "Model",
  "sequence-classification": "ForSequenceClassification",
  "token-classification": "ForTokenClassification",
  "question-answering": "ForQuestionAnswering",
  "masked-lm": "ForMaskedLM",
  "causal-lm": "ForCausalLM",
  "seq2seq-lm": "ForConditionalGeneration",
  "image-classification": "ForImageClassification",
  "next-item": "ForNextItem",
};

interface Family<C extends ModelConfig, I> {
  readonly modelType: C["modelType"];
  /** Where checkpoints with a head keep the bare model's parameters. */
  readonly base: string;
  readonly heads: Partial<Record<Head, Forward<C, I>>>;
  readonly smallest: SmallestInputs | ((config: C) => SmallestInputs);
  /** Names that do not follow the rule. */
  readonly names?: Partial<Record<Head, string>>;
  /** For the head "seq2seq-lm". */
  readonly halves?: Halves<C>;
}

function family<C extends ModelConfig, I>(name: string, { modelType, base, heads, smallest, names = {}, halves }: Family<C, I>): Architecture[] {
  return (Object.entries(heads) as [Head, Forward<C, I>][]).map(([head, forward]) => {
    const full = names[head] ?? `${name}${SUFFIXES[head]}`;
    const smallestInputs = (config: ModelConfig) => (typeof smallest === "function" ? smallest(config as C) : smallest);
    return {
      name: full,
      modelType,
      head,
      basePrefix: base === "" ? "" : `${base}.`,
      smallestInputs,
      ...(head === "seq2seq-lm" && halves && { halves: halves as unknown as Halves }),
      forward(scope, config, inputs, mode) {
        const required = (Object.keys(smallestInputs(config)) as InputName[]).filter((input) => !OPTIONAL_INPUTS.has(input));
        return forward(scope, config as C, requireInputs(full, inputs, required) as I, mode);
      },
    };
  });
}

const OPTIONAL_INPUTS: ReadonlySet<InputName> = new Set(["attentionMask", "tokenTypeIds"]);

/** An encoder of texts: BERT's line. */
const encoder = <C extends ModelConfig>(name: string, modelType: C["modelType"], base: string, heads: Partial<Record<Head, Forward<C, EncoderInputs>>>): Architecture[] => family(name, { modelType, base, heads, smallest: ONE_TYPED_TOKEN });

/** A decoder with Llama's heads and names. */
const decoder = <C extends LlamaLikeConfig & ModelConfig>(name: string, modelType: C["modelType"], model: DecoderModel<C>, softCap?: (config: C) => number | undefined): Architecture[] =>
  family(name, { modelType, base: "model", heads: decoderHeads(model, softCap), smallest: ONE_TOKEN });

const modernbert = {
  none: modernbertModel,
  "sequence-classification": modernbertForSequenceClassification,
  "token-classification": modernbertForTokenClassification,
  "question-answering": modernbertForQuestionAnswering,
  "masked-lm": modernbertForMaskedLM,
};

const distilbert = {
  none: distilbertModel,
  "sequence-classification": distilbertForSequenceClassification,
  "token-classification": distilbertForTokenClassification,
  "question-answering": distilbertForQuestionAnswering,
  "masked-lm": distilbertForMaskedLM,
};

const roberta = { none: robertaModel, "sequence-classification": robertaForSequenceClassification, ...plainHeads("roberta", robertaEncoder), "masked-lm": robertaForMaskedLM };

const architectures: readonly Architecture[] = [
  ...encoder("Albert", "albert", "albert", { none: albertModel, "sequence-classification": albertForSequenceClassification, ...plainHeads("albert", albertEncoder), "masked-lm": albertForMaskedLM }),
  ...encoder("Bert", "bert", "bert", { none: bertModel, "sequence-classification": bertForSequenceClassification, ...plainHeads("bert", bertEncoder), "masked-lm": bertForMaskedLM }),
  ...encoder("DebertaV2", "deberta-v2", "deberta", { none: debertaV2Model, "sequence-classification": debertaV2ForSequenceClassification, ...plainHeads("deberta", debertaV2Model), "masked-lm": debertaV2ForMaskedLM }),
  ...encoder("DistilBert", "distilbert", "distilbert", distilbert),
  ...encoder("Electra", "electra", "electra", { none: electraModel, "sequence-classification": electraForSequenceClassification, ...plainHeads("electra", electraModel), "masked-lm": electraForMaskedLM }),
  ...family("ModernBert", { modelType: "modernbert", base: "model", heads: modernbert, smallest: ONE_TOKEN }),
  ...encoder("MPNet", "mpnet", "mpnet", { none: mpnetModel, "sequence-classification": mpnetForSequenceClassification, ...plainHeads("mpnet", mpnetEncoder), "masked-lm": mpnetForMaskedLM }),
  ...encoder("Roberta", "roberta", "roberta", roberta),
  ...encoder("XLMRoberta", "xlm-roberta", "roberta", roberta),

  ...decoder("Gemma2", "gemma2", gemma2Model, ({ finalLogitSoftcapping }) => finalLogitSoftcapping),
  ...decoder("Gemma3Text", "gemma3_text", gemma3Model, ({ finalLogitSoftcapping }) => finalLogitSoftcapping).map((one) => (one.head === "causal-lm" ? { ...one, name: "Gemma3ForCausalLM" } : one)),
  ...family("GPT2", {
    modelType: "gpt2",
    base: "transformer",
    heads: { none: gpt2Model, "causal-lm": gpt2ForCausalLM, "sequence-classification": gpt2ForSequenceClassification },
    smallest: ONE_TOKEN,
    names: { "causal-lm": "GPT2LMHeadModel" },
  }),
  ...family("GPTNeoX", {
    modelType: "gpt_neox",
    base: "gpt_neox",
    heads: { none: gptNeoXModel, "causal-lm": gptNeoXForCausalLM, "sequence-classification": gptNeoXForSequenceClassification },
    smallest: ONE_TOKEN,
  }),
  ...decoder<LlamaConfig>("Llama", "llama", llamaModel),
  ...decoder<MistralConfig>("Mistral", "mistral", mistralModel),
  ...decoder<Phi3Config>("Phi3", "phi3", phi3Model),
  ...decoder<Qwen2Config>("Qwen2", "qwen2", qwen2Model),
  ...decoder<Qwen3Config>("Qwen3", "qwen3", qwen3Model),
  ...decoder<SmolLM3Config>("SmolLM3", "smollm3", smollm3Model),

  ...family("Bart", {
    modelType: "bart",
    base: "model",
    heads: { none: bartModel, "seq2seq-lm": bartForConditionalGeneration },
    smallest: ONE_TOKEN_EACH,
    halves: { encode: bartEncode, decode: bartDecode, crossKeysAndValues: (base, config, encoded) => crossKeysAndValues(base.in("decoder"), config, encoded), scores: bartScores },
  }),
  ...family("Bart", { modelType: "bart", base: "model", heads: { "sequence-classification": bartForSequenceClassification }, smallest: ONE_TOKEN }),
  ...family("Marian", {
    modelType: "marian",
    base: "model",
    heads: { none: marianModel, "seq2seq-lm": marianMTModel },
    smallest: ONE_TOKEN_EACH,
    names: { "seq2seq-lm": "MarianMTModel" },
    halves: { encode: marianEncode, decode: marianDecode, crossKeysAndValues: (base, config, encoded) => crossKeysAndValues(base.in("decoder"), config, encoded), scores: bartScores },
  }),
  ...family("T5", {
    modelType: "t5",
    base: "",
    heads: { none: t5Model, "seq2seq-lm": t5ForConditionalGeneration },
    smallest: ONE_TOKEN_EACH,
    halves: { encode: t5Encode, decode: t5Decode, crossKeysAndValues: t5CrossKeysAndValues, scores: t5Scores },
  }),
  ...family("Whisper", {
    modelType: "whisper",
    base: "model",
    heads: { none: whisperModel, "seq2seq-lm": whisperForConditionalGeneration },
    smallest: ({ numMelBins, maxSourcePositions }: WhisperConfig) => ({ inputFeatures: { dtype: "f32", shape: [1, numMelBins, 2 * maxSourcePositions] }, decoderInputIds: ONE_TOKEN_EACH.decoderInputIds! }),
    halves: { encode: whisperEncode, decode: whisperDecode, crossKeysAndValues: whisperCrossKeysAndValues, scores: whisperScores },
  }),

  ...family("CLIP", { modelType: "clip", base: "clip", heads: { none: clipModel }, smallest: ({ visionConfig }) => ({ ...ONE_TOKEN, ...oneImage(visionConfig) }) }),
  ...family("ViT", { modelType: "vit", base: "vit", heads: { none: vitModel, "image-classification": vitForImageClassification }, smallest: oneImage }),

  ...family("BERT4Rec", { modelType: "bert4rec", base: "", heads: { none: bert4recModel, "next-item": bert4recForNextItem }, smallest: ONE_ITEM }),
  ...family("HSTU", { modelType: "hstu", base: "", heads: { none: hstuModel, "next-item": hstuForNextItem }, smallest: ONE_ITEM }),
  ...family("SASRec", { modelType: "sasrec", base: "", heads: { none: sasrecModel, "next-item": sasrecForNextItem }, smallest: ONE_ITEM }),
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
