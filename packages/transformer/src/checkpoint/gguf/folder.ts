import type { ModelFolder } from "../folder/open.ts";
import type { ByteSource } from "../source/byte-source.ts";
import { configOf } from "./config.ts";
import { readGguf } from "./file.ts";
import { tokenizerOf } from "./tokenizer.ts";
import { GgufWeights } from "./weights.ts";

/** One GGUF file as a model folder: its configuration, its tokenizer, its weights in f32. Errors: GGUF_INVALID, MODEL_TYPE_UNKNOWN, TOKENIZER_INVALID. */
export async function openGguf(source: ByteSource): Promise<ModelFolder> {
  const file = await readGguf(source);
  const close = () => source.close();
  try {
    const weights = new GgufWeights(file);
    const { tokenizer, config } = tokenizerOf(file);
    return {
      label: source.label,
      configText: JSON.stringify(await configOf(file)),
      tokenizerText: JSON.stringify(tokenizer),
      tokenizerConfigText: JSON.stringify(config),
      weights: async () => weights,
      readText: async () => undefined,
      close,
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
