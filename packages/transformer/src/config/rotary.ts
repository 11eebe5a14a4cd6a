import { HeddleError } from "@heddle/kernels";
import { z } from "zod";
import { checkConfig, optional } from "./schema.ts";

// Rotary position embeddings in config.json: `rope_parameters` of transformers 5, or `rope_theta` and `rope_scaling` of 4.

/** How the frequencies of a model trained on short texts are changed for longer ones. Names as in transformers. */
export type RotaryScaling =
  | { readonly type: "default" }
  | { readonly type: "linear"; readonly factor: number }
  | { readonly type: "dynamic"; readonly factor: number }
  | { readonly type: "llama3"; readonly factor: number; readonly lowFreqFactor: number; readonly highFreqFactor: number; readonly originalMaxPositionEmbeddings: number }
  | {
      readonly type: "yarn";
      readonly factor: number;
      readonly originalMaxPositionEmbeddings: number;
      readonly betaFast: number;
      readonly betaSlow: number;
      readonly attentionFactor: number;
      readonly truncate: boolean;
    }
  | { readonly type: "longrope"; readonly shortFactor: readonly number[]; readonly longFactor: readonly number[]; readonly originalMaxPositionEmbeddings: number; readonly attentionFactor: number };

export interface RotaryConfig {
  /** Base of the frequencies, `rope_theta`. */
  readonly theta: number;
  /** Share of a head's elements that are turned. */
  readonly partialRotaryFactor: number;
  /** The model's longest text. */
  readonly maxPositionEmbeddings: number;
  readonly scaling: RotaryScaling;
}

const positive = z.number().positive();
const factors = z.array(positive).min(1);

const ropeSchema = z.object({
  rope_theta: optional(positive),
  rope_type: optional(z.string()),
  type: optional(z.string()),
  partial_rotary_factor: optional(positive.max(1)),
  factor: optional(positive),
  low_freq_factor: optional(positive),
  high_freq_factor: optional(positive),
  original_max_position_embeddings: optional(z.int().positive()),
  attention_factor: optional(positive),
  beta_fast: optional(positive),
  beta_slow: optional(positive),
  mscale: optional(z.number()),
  mscale_all_dim: optional(z.number()),
  truncate: optional(z.boolean()),
  short_factor: optional(factors),
  long_factor: optional(factors),
});

type RopeJson = z.output<typeof ropeSchema>;

export interface RotaryDefaults {
  readonly headDim: number;
  readonly maxPositionEmbeddings: number;
  readonly theta: number;
  readonly partialRotaryFactor?: number;
  /** Phi-3 has it beside the scaling. */
  readonly originalMaxPositionEmbeddings?: number;
}

/** One set of parameters, `rope` being an object of config.json or undefined. Errors: CONFIG_INVALID. */
export function parseRotary(rope: unknown, { headDim, maxPositionEmbeddings, theta, partialRotaryFactor = 1, originalMaxPositionEmbeddings }: RotaryDefaults): RotaryConfig {
  const json = checkConfig(ropeSchema, rope ?? {});
  const factor = json.partial_rotary_factor ?? partialRotaryFactor;
  const dims = rotaryDims({ partialRotaryFactor: factor }, headDim);
  if (dims < 2 || dims % 2 !== 0) throw invalid(`a head of ${headDim} elements has ${dims} to turn, which are not pairs: choose head_dim and partial_rotary_factor so that an even number is left`);
  return { theta: json.rope_theta ?? theta, partialRotaryFactor: factor, maxPositionEmbeddings, scaling: parseScaling(json, dims, maxPositionEmbeddings, originalMaxPositionEmbeddings) };
}

/** Elements of a head that are turned. */
export const rotaryDims = ({ partialRotaryFactor }: Pick<RotaryConfig, "partialRotaryFactor">, headDim: number): number => Math.trunc(headDim * partialRotaryFactor);

const TYPES = ["default", "linear", "dynamic", "llama3", "yarn", "longrope"];

function parseScaling(json: RopeJson, dims: number, maxPositionEmbeddings: number, beside: number | undefined): RotaryScaling {
  const type = json.rope_type ?? json.type ?? "default";
  const need = <T>(value: T | undefined, key: string): T => {
    if (value === undefined) throw invalid(`rope type ${type} has no ${key}: add it to rope_parameters (rope_scaling in older files)`);
    return value;
  };
  const original = () => json.original_max_position_embeddings ?? beside;
  switch (type) {
    case "default":
      return { type };
    case "linear":
    case "dynamic":
      return { type, factor: need(json.factor, "factor") };
    case "llama3":
      return {
        type,
        factor: need(json.factor, "factor"),
        lowFreqFactor: need(json.low_freq_factor, "low_freq_factor"),
        highFreqFactor: need(json.high_freq_factor, "high_freq_factor"),
        originalMaxPositionEmbeddings: need(original(), "original_max_position_embeddings"),
      };
    case "yarn": {
      const originalMaxPositionEmbeddings = original() ?? maxPositionEmbeddings;
      const factor = json.factor ?? maxPositionEmbeddings / originalMaxPositionEmbeddings;
      const { beta_fast: betaFast = 32, beta_slow: betaSlow = 1, truncate = true } = json;
      return { type, factor, originalMaxPositionEmbeddings, betaFast, betaSlow, truncate, attentionFactor: json.attention_factor ?? yarnAttentionFactor(factor, json.mscale, json.mscale_all_dim) };
    }
    case "longrope":
    case "su": {
      const originalMaxPositionEmbeddings = need(original(), "original_max_position_embeddings");
      const [shortFactor, longFactor] = [need(json.short_factor, "short_factor"), need(json.long_factor, "long_factor")];
      const wrong = [shortFactor, longFactor].find(({ length }) => length !== dims / 2);
      if (wrong) throw invalid(`short_factor and long_factor want ${dims / 2} numbers each, one a pair of a head; one has ${wrong.length}`);
      const factor = json.factor ?? maxPositionEmbeddings / originalMaxPositionEmbeddings;
      const attentionFactor = json.attention_factor ?? (factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(originalMaxPositionEmbeddings)));
      return { type: "longrope", shortFactor, longFactor, originalMaxPositionEmbeddings, attentionFactor };
    }
    default:
      throw invalid(`rope type ${JSON.stringify(type)} is not known, known are ${TYPES.join(", ")}`);
  }
}

/** Peng et al. 2023 (arXiv:2309.00071), equation 22, with the two exponents that DeepSeek's files have. */
function yarnAttentionFactor(factor: number, mscale: number | undefined, mscaleAllDim: number | undefined): number {
  const scale = (exponent: number) => (factor <= 1 ? 1 : 0.1 * exponent * Math.log(factor) + 1);
  return mscale && mscaleAllDim ? scale(mscale) / scale(mscaleAllDim) : scale(1);
}

/** As `rope_parameters` of transformers 5 has it. */
export function rotaryToJson({ theta, partialRotaryFactor, scaling }: RotaryConfig): Record<string, unknown> {
  const { type, ...numbers } = scaling;
  const snake = Object.entries(numbers).map(([key, value]) => [key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), value] as const);
  return { rope_theta: theta, rope_type: type, ...(partialRotaryFactor !== 1 && { partial_rotary_factor: partialRotaryFactor }), ...Object.fromEntries(snake) };
}

const invalid = (what: string) => new HeddleError("CONFIG_INVALID", `[config.json] ${what}`);
