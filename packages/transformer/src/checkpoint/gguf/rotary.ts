import type { MetadataReader } from "./config.ts";
import { invalid, readTensor, type GgufFile } from "./file.ts";

// llama.cpp's converter works out what Llama 3's and Phi-3's scaling does to each frequency, and stores tables to divide them by: one for
// all texts, or one for short ones and one for long ones. transformers' "longrope" says the same.

const ALL = "rope_freqs.weight";
const SHORT = "rope_factors_short.weight";
const LONG = "rope_factors_long.weight";

/** More than any head has: as numbers of a configuration a large table would take many times its bytes. */
const MOST_PAIRS = 4096;

/** Whether a tensor belongs to the configuration and not to the weights. */
export const isRotaryTable = (name: string): boolean => [ALL, SHORT, LONG].includes(name);

/** `rope_scaling` of config.json; undefined where nothing is scaled. Errors: GGUF_INVALID, those of reading. */
export async function rotaryScalingOf(file: GgufFile, read: MetadataReader): Promise<Record<string, unknown> | undefined> {
  const [all, short, long] = await Promise.all([ALL, SHORT, LONG].map((name) => tableOf(file, name)));
  if (all) return { rope_type: "longrope", short_factor: all, long_factor: all, attention_factor: 1, original_max_position_embeddings: read("context_length") };
  const original = { original_max_position_embeddings: read("rope.scaling.original_context_length") };
  if (short ?? long) return { rope_type: "longrope", short_factor: short, long_factor: long, attention_factor: read("rope.scaling.attn_factor"), ...original };
  const type = read("rope.scaling.type");
  return type === undefined || type === "none" ? undefined : { rope_type: type, factor: read("rope.scaling.factor"), ...original };
}

async function tableOf(file: GgufFile, name: string): Promise<number[] | undefined> {
  const tensor = file.tensors.get(name);
  if (!tensor) return undefined;
  const [pairs = 0, ...more] = tensor.shape;
  if (more.length > 0 || pairs > MOST_PAIRS) throw invalid(file.source, `has a table ${name} of the shape ${tensor.shape.join(" × ")}, where a head has at most ${MOST_PAIRS} pairs`);
  return Array.from(await readTensor(file, tensor));
}
