import { HeddleError } from "@heddle/kernels";
import { parseJsonFile } from "../checkpoint/json.ts";
import { albertToJson, parseAlbertConfig, type AlbertConfig } from "./albert.ts";
import { bartToJson, marianToJson, parseBartConfig, parseMarianConfig, type BartConfig, type MarianConfig } from "./bart.ts";
import { bert4recToJson, parseBERT4RecConfig, type BERT4RecConfig } from "./bert4rec.ts";
import { bertToJson, parseBertConfig, type BertConfig } from "./bert.ts";
import type { DecoderConfig } from "./decoder.ts";
import { clipToJson, parseClipConfig, type ClipConfig } from "./clip.ts";
import { debertaV2ToJson, parseDebertaV2Config, type DebertaV2Config } from "./deberta-v2.ts";
import { distilbertToJson, parseDistilBertConfig, type DistilBertConfig } from "./distilbert.ts";
import { electraToJson, parseElectraConfig, type ElectraConfig } from "./electra.ts";
import { gemmaToJson, parseGemma2Config, parseGemma3Config, type Gemma2Config, type Gemma3Config } from "./gemma.ts";
import { gpt2ToJson, parseGPT2Config, type GPT2Config } from "./gpt2.ts";
import { gptNeoXToJson, parseGPTNeoXConfig, type GPTNeoXConfig } from "./gpt-neox.ts";
import { hstuToJson, parseHSTUConfig, type HSTUConfig } from "./hstu.ts";
import { labelsOf, type Labels, type ProblemType } from "./labels.ts";
import { llamaToJson, parseLlamaConfig, type LlamaConfig } from "./llama.ts";
import { mistralToJson, parseMistralConfig, type MistralConfig } from "./mistral.ts";
import { modernbertToJson, parseModernBertConfig, type ModernBertConfig } from "./modernbert.ts";
import { mpnetToJson, parseMPNetConfig, type MPNetConfig } from "./mpnet.ts";
import { parsePhi3Config, phi3ToJson, type Phi3Config } from "./phi3.ts";
import { parseQwen2Config, parseQwen3Config, qwenToJson, type Qwen2Config, type Qwen3Config } from "./qwen.ts";
import { isRecommenderConfig } from "./recommender.ts";
import { parseRobertaConfig, parseXlmRobertaConfig, robertaToJson, type RobertaConfig } from "./roberta.ts";
import { parseSASRecConfig, sasrecToJson, type SASRecConfig } from "./sasrec.ts";
import { parseSmolLM3Config, smollm3ToJson, type SmolLM3Config } from "./smollm3.ts";
import { parseT5Config, t5ToJson, type T5Config } from "./t5.ts";
import { parseWhisperConfig, whisperToJson, type WhisperConfig } from "./whisper.ts";
import { parseViTConfig, vitToJson, type ViTConfig } from "./vit.ts";

interface ConfigOf {
  albert: AlbertConfig;
  bart: BartConfig;
  bert: BertConfig;
  bert4rec: BERT4RecConfig;
  clip: ClipConfig;
  "deberta-v2": DebertaV2Config;
  distilbert: DistilBertConfig;
  electra: ElectraConfig;
  gemma2: Gemma2Config;
  gemma3_text: Gemma3Config;
  gpt2: GPT2Config;
  gpt_neox: GPTNeoXConfig;
  hstu: HSTUConfig;
  llama: LlamaConfig;
  marian: MarianConfig;
  mistral: MistralConfig;
  modernbert: ModernBertConfig;
  mpnet: MPNetConfig;
  phi3: Phi3Config;
  qwen2: Qwen2Config;
  qwen3: Qwen3Config;
  roberta: RobertaConfig;
  sasrec: SASRecConfig;
  smollm3: SmolLM3Config;
  t5: T5Config;
  whisper: WhisperConfig;
  vit: ViTConfig;
  "xlm-roberta": RobertaConfig;
}

export type ModelType = keyof ConfigOf;
export type ModelConfig = ConfigOf[ModelType];

interface ConfigFormat<C extends ModelConfig> {
  parse(raw: Readonly<Record<string, unknown>>): C;
  /** The family's own keys. */
  toJson(config: C): Record<string, unknown>;
}

const formats: { readonly [T in ModelType]: ConfigFormat<ConfigOf[T]> } = {
  albert: { parse: parseAlbertConfig, toJson: albertToJson },
  bart: { parse: parseBartConfig, toJson: bartToJson },
  bert: { parse: parseBertConfig, toJson: bertToJson },
  bert4rec: { parse: parseBERT4RecConfig, toJson: bert4recToJson },
  clip: { parse: parseClipConfig, toJson: clipToJson },
  "deberta-v2": { parse: parseDebertaV2Config, toJson: debertaV2ToJson },
  distilbert: { parse: parseDistilBertConfig, toJson: distilbertToJson },
  electra: { parse: parseElectraConfig, toJson: electraToJson },
  gemma2: { parse: parseGemma2Config, toJson: gemmaToJson },
  gemma3_text: { parse: parseGemma3Config, toJson: gemmaToJson },
  gpt2: { parse: parseGPT2Config, toJson: gpt2ToJson },
  gpt_neox: { parse: parseGPTNeoXConfig, toJson: gptNeoXToJson },
  hstu: { parse: parseHSTUConfig, toJson: hstuToJson },
  llama: { parse: parseLlamaConfig, toJson: llamaToJson },
  marian: { parse: parseMarianConfig, toJson: marianToJson },
  mistral: { parse: parseMistralConfig, toJson: mistralToJson },
  modernbert: { parse: parseModernBertConfig, toJson: modernbertToJson },
  mpnet: { parse: parseMPNetConfig, toJson: mpnetToJson },
  phi3: { parse: parsePhi3Config, toJson: phi3ToJson },
  qwen2: { parse: parseQwen2Config, toJson: qwenToJson },
  qwen3: { parse: parseQwen3Config, toJson: qwenToJson },
  roberta: { parse: parseRobertaConfig, toJson: robertaToJson },
  sasrec: { parse: parseSASRecConfig, toJson: sasrecToJson },
  smollm3: { parse: parseSmolLM3Config, toJson: smollm3ToJson },
  t5: { parse: parseT5Config, toJson: t5ToJson },
  whisper: { parse: parseWhisperConfig, toJson: whisperToJson },
  vit: { parse: parseViTConfig, toJson: vitToJson },
  "xlm-roberta": { parse: parseXlmRobertaConfig, toJson: robertaToJson },
};

/** The `model_type`s that `parseConfig` knows. */
export const MODEL_TYPES = Object.keys(formats) as readonly ModelType[];

/**
 * Parses config.json (text or object) of any known family.
 * Errors: `CONFIG_INVALID` (each wrong key named), `MODEL_TYPE_UNKNOWN`.
 */
export function parseConfig(source: string | object): ModelConfig {
  const raw = asObject(source);
  const modelType = raw["model_type"];
  if (typeof modelType === "string" && Object.hasOwn(formats, modelType)) return formats[modelType as ModelType].parse(raw);
  const known = MODEL_TYPES.join(", ");
  if (modelType === undefined) {
    throw new HeddleError("CONFIG_INVALID", `[config.json] has no model_type: add it, one of ${known}`);
  }
  throw new HeddleError("MODEL_TYPE_UNKNOWN", `[config.json] model_type is ${JSON.stringify(modelType)}, known are ${known}: choose a checkpoint of one of these families`);
}

/** A configuration from scratch: `modelType`, and what differs from transformers' defaults, in Heddle's names. */
export function createConfig<T extends ModelType>({ labels, ...options }: ConfigOptions<ConfigOf[T]> & { readonly modelType: T }): ConfigOf[T] {
  const base = parseConfig({ model_type: options.modelType });
  const config = { ...base, ...derived(base, options), ...options } as ModelConfig;
  return parseConfig(configToJson(labels ? withLabels(config, labels) : config)) as ConfigOf[T];
}

/** Sizes that follow from others in the family's defaults follow from the new ones too. */
function derived(base: ModelConfig, options: object): object {
  // A recommender's follow by the same rules as where config.json says nothing of them.
  if (isRecommenderConfig(base)) return { vocabSize: undefined, intermediateSize: undefined, maskTokenId: undefined };
  const { hiddenSize, numAttentionHeads, vocabSize } = { ...base, ...options } as DecoderConfig;
  return {
    // A small vocabulary has no row for a large one's padding.
    ...("numKeyValueHeads" in base && (base.padTokenId ?? 0) >= vocabSize && { padTokenId: undefined }),
    ...("headDim" in base && base.headDim === base.hiddenSize / base.numAttentionHeads && { headDim: hiddenSize / numAttentionHeads }),
    ...("numKeyValueHeads" in base && base.numKeyValueHeads === base.numAttentionHeads && { numKeyValueHeads: numAttentionHeads }),
  };
}

export type ConfigOptions<C extends ModelConfig> = Pick<C, "modelType"> &
  Partial<Omit<C, "modelType" | "raw" | keyof Labels>> & { readonly labels?: readonly string[]; readonly problemType?: ProblemType };

/** The same model with other labels, e.g. to fine-tune a checkpoint on a task of one's own. */
export function withLabels<C extends ModelConfig>(config: C, names: readonly string[], problemType: ProblemType | undefined = config.problemType): C {
  return { ...config, ...labelsOf(names, problemType) };
}

/** config.json as Python's transformers reads it; unknown keys stay as they came. `dtype` is that of the weights. */
export function configToJson(config: ModelConfig, dtype: "float32" | "float16" | "bfloat16" = "float32"): Record<string, unknown> {
  const { num_labels: _derived, torch_dtype: _older, ...raw } = config.raw;
  const json = (formats[config.modelType] as ConfigFormat<ModelConfig>).toJson(config);
  keepSpelling(json, config);
  return {
    ...raw,
    ...json,
    model_type: config.modelType,
    architectures: config.architectures,
    id2label: Object.fromEntries(config.id2label.map((label, id) => [id, label])),
    label2id: Object.fromEntries(config.label2id),
    ...(config.problemType ? { problem_type: config.problemType } : {}),
    // transformers 5 reads `dtype`, 4 reads `torch_dtype`; without the right one it would convert the weights.
    dtype,
    torch_dtype: dtype,
  };
}

const ACTIVATION_KEYS = ["hidden_act", "activation", "activation_function", "hidden_activation"];

/** An activation keeps the name that it had in the file: "gelu_fast" stays "gelu_fast". */
function keepSpelling(json: Record<string, unknown>, config: ModelConfig): void {
  if (Object.keys(config.raw).length === 0) return;
  const key = ACTIVATION_KEYS.find((name) => name in json);
  if (key === undefined || !(key in config.raw) || !("hiddenAct" in config)) return;
  const read = parseConfig(config.raw);
  if ("hiddenAct" in read && read.hiddenAct === config.hiddenAct) json[key] = config.raw[key];
}

function asObject(source: string | object): Readonly<Record<string, unknown>> {
  let value: unknown = source;
  if (typeof source === "string") {
    value = parseJsonFile(source, "[config.json]");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new HeddleError("CONFIG_INVALID", `[config.json] must be a JSON object: download it again`);
  }
  return value as Record<string, unknown>;
}
