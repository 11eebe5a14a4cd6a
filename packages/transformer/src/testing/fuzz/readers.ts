import { HeddleError } from "@heddle/kernels";
import { openGguf } from "../../checkpoint/gguf/folder.ts";
import { bytesPerElement } from "../../checkpoint/safetensors/dtype.ts";
import { SafetensorsReader } from "../../checkpoint/safetensors/reader.ts";
import { memorySource } from "../../checkpoint/source/byte-source.ts";
import { configToJson, parseConfig } from "../../config/index.ts";
import { storedGenerationOptions } from "../../generation/index.ts";
import { applyChatTemplate, loadTokenizer } from "../../text/index.ts";
import { mutateBytes, mutateJson } from "./mutations.ts";
import type { CaseRandom } from "./random.ts";
import { configSamples, generationConfigSample, ggufSamples, hostileTemplates, hostileTokenizerParts, safetensorsSample, tokenizerConfigSample, tokenizerSamples } from "./samples.ts";

/** A damaged file, and what reads it to its end. */
export interface FuzzCase {
  readonly sizeBytes: number;
  /** What is refused, with a HeddleError, is as good as what is read. */
  read(): Promise<void> | void;
}

export type FuzzReader = (random: CaseRandom) => FuzzCase;

const once = <T>(make: () => T): (() => T) => {
  let made: T | undefined;
  return () => (made ??= make());
};

const safetensors = once(safetensorsSample);
const ggufs = once(ggufSamples);
const configs = once(configSamples);

/** Texts that reach every part of a tokenizer; repeated signs are what patterns and merges take longest over. */
const TEXTS = ["the Ab, ab!\n  12", `${"a".repeat(60)}!`, `${" ".repeat(40)}x`, "é中😀 <s>a</s> [CLS]", ""];
const MESSAGES = [{ role: "system", content: "be brief" }, { role: "user", content: " ab " }, { role: "assistant", content: "a" }, { role: "user", content: "b" }];

/** Readers of what comes from outside, by the name of the file. */
export const fuzzReaders = {
  safetensors(random) {
    const bytes = mutateBytes(random, safetensors());
    return {
      sizeBytes: bytes.length,
      async read() {
        const reader = await SafetensorsReader.open(memorySource(bytes));
        for (const { name, dtype, shape, begin, end } of reader.entries.values()) {
          if (end - begin !== shape.reduce((product, extent) => product * extent, bytesPerElement(dtype))) throw new Error(`${name} has the wrong number of bytes`);
        }
        for await (const { data } of reader.stream({ checkFinite: false })) void data;
      },
    };
  },

  gguf(random) {
    const sample = random.pick(ggufs());
    const bytes = mutateBytes(random, sample, 1100);
    return {
      sizeBytes: bytes.length,
      async read() {
        const folder = await openGguf(memorySource(bytes));
        const weights = await folder.weights();
        for await (const { data } of weights.stream()) void data;
      },
    };
  },

  config(random) {
    if (random.oneIn(8)) {
      const text = mutateJson(random, generationConfigSample);
      return { sizeBytes: text.length, read: () => void storedGenerationOptions(text, "generation_config.json", "with a prompt") };
    }
    const text = mutateJson(random, random.pick(configs()));
    return { sizeBytes: text.length, read: () => void configToJson(parseConfig(text)) };
  },

  tokenizer(random) {
    const mutatesConfig = random.oneIn(4);
    const tokenizerText = mutatesConfig ? random.pick(tokenizerSamples) : mutateJson(random, random.pick(tokenizerSamples), hostileTokenizerParts);
    const configText = mutatesConfig ? mutateJson(random, tokenizerConfigSample, hostileTemplates) : tokenizerConfigSample;
    return {
      sizeBytes: tokenizerText.length + configText.length,
      read() {
        const tokenizer = loadTokenizer(tokenizerText, configText);
        for (const text of TEXTS) {
          const { ids } = tokenizer.encode(text);
          tokenizer.decode(ids);
          tokenizer.decode(ids, { skipSpecialTokens: false });
        }
        tokenizer.encode(TEXTS[0]!, { pair: TEXTS[1]!, maxLength: 12 });
        applyChatTemplate(tokenizer, MESSAGES);
      },
    };
  },
} satisfies Readonly<Record<string, FuzzReader>>;

export type FuzzReaderName = keyof typeof fuzzReaders;
export const FUZZ_READERS = Object.keys(fuzzReaders) as readonly FuzzReaderName[];

/** Throws what a reader lets through that is no error of its own. */
export async function readOrRefuse(fuzzCase: FuzzCase): Promise<"read" | string> {
  try {
    await fuzzCase.read();
    return "read";
  } catch (error) {
    if (HeddleError.isInstance(error)) return error.code;
    throw error;
  }
}
