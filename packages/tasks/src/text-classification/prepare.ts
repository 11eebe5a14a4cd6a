import type { EncodedRow } from "@heddle/training";
import { architectureFor, createConfig, createModel, trainByteLevelBpe, trainWordPiece, type HubAccess, type Model, type Tokenizer } from "@heddle/transformer";
import type { HeldDevice } from "../inference/device.ts";
import { encodeTexts } from "../inference/encode.ts";
import { loadTextModel } from "../inference/load.ts";
import { modelTrial } from "../inference/trial.ts";
import { FINE_TUNE_LIMITS, MAX_TOKENIZER_CHARACTERS, maxLengthFor, SCRATCH_LIMITS, scratchConfig, scratchRecipe, tokenizerRecipe, type DataSize, type TextStatistics } from "./recipe.ts";
import type { FitEvent, FitOptions } from "./types.ts";

export interface Prepared {
  readonly model: Model;
  readonly tokenizer: Tokenizer;
  /** In tokens. */
  readonly maxLength: number;
  /** One per text, without labels. */
  readonly encoded: readonly EncodedRow[];
  /** Places of the texts that were cut. */
  readonly truncated: readonly number[];
}

interface PrepareOptions extends HubAccess, Pick<FitOptions, "model" | "tokenizer" | "maxLength" | "signal"> {
  /** The first so many texts train; the tokenizer and the longest length must not see the others. */
  numTrainTexts: number;
  seed: number;
  emit: (event: FitEvent) => void;
}

/** Tokenizer, encoded texts and an untrained or loaded model for them. */
export async function prepare(held: HeldDevice, texts: readonly string[], labels: readonly string[], options: PrepareOptions): Promise<Prepared> {
  return options.model === undefined ? prepareFromScratch(held, texts, labels, options) : prepareCheckpoint(held, texts, labels, options);
}

async function prepareFromScratch(held: HeldDevice, texts: readonly string[], labels: readonly string[], { tokenizer: kind = "wordpiece", maxLength: wanted, numTrainTexts, seed, signal, emit }: PrepareOptions): Promise<Prepared> {
  const trainTexts = texts.slice(0, numTrainTexts);
  emit({ type: "phase", phase: "tokenizer", message: `training a ${kind === "wordpiece" ? "WordPiece" : "byte-level BPE"} tokenizer on ${trainTexts.length.toLocaleString("en")} texts` });
  const train = kind === "wordpiece" ? trainWordPiece : trainByteLevelBpe;
  const tokenizer = await train(firstCharacters(trainTexts, MAX_TOKENIZER_CHARACTERS), { ...tokenizerRecipe(statisticsOf(trainTexts)), signal });
  emit({ type: "phase", phase: "encoding", message: `encoding ${texts.length.toLocaleString("en")} texts with ${tokenizer.vocabSize.toLocaleString("en")} tokens` });
  const limit = wanted ?? SCRATCH_LIMITS.longest;
  const { rows, truncated } = await encodeTexts(tokenizer, texts, { maxLength: limit, signal });
  const maxLength = wanted ?? maxLengthFor(lengthsOf(rows.slice(0, numTrainTexts)), SCRATCH_LIMITS);
  emit({ type: "phase", phase: "model", message: "building a small encoder" });
  const recipe = scratchRecipe(sizeOfData(rows.slice(0, numTrainTexts)));
  const config = createConfig(scratchConfig(recipe, { vocabSize: tokenizer.vocabSize, maxLength, labels, padTokenId: tokenizer.specialTokenId("pad") ?? 0 }));
  const architecture = architectureFor("bert", "sequence-classification");
  const device = await held.open(() => modelTrial(architecture, config, { batchSize: recipe.arguments.perDeviceTrainBatchSize, length: maxLength }));
  const model = createModel(device, architecture, config, seed);
  return { model, tokenizer, maxLength, ...(await shortened(tokenizer, texts, { rows, truncated }, maxLength, signal)) };
}

async function prepareCheckpoint(held: HeldDevice, texts: readonly string[], labels: readonly string[], { model: source, maxLength: wanted, numTrainTexts, seed, signal, emit, ...hub }: PrepareOptions): Promise<Prepared> {
  emit({ type: "phase", phase: "model", message: "loading the checkpoint" });
  const { model, tokenizer, maxLength: possible } = await loadTextModel(held, source!, { ...hub, head: "sequence-classification", labels, seed, signal, onProgress: (progress) => progress.type === "download" && emit(progress), log: (message) => emit({ type: "phase", phase: "model", message }) });
  try {
    emit({ type: "phase", phase: "encoding", message: `encoding ${texts.length.toLocaleString("en")} texts with the checkpoint's tokenizer` });
    const limits = { longest: Math.min(wanted ?? FINE_TUNE_LIMITS.longest, possible) };
    const encoded = await encodeTexts(tokenizer, texts, { maxLength: limits.longest, signal });
    const maxLength = wanted === undefined ? Math.min(possible, maxLengthFor(lengthsOf(encoded.rows.slice(0, numTrainTexts)), limits)) : limits.longest;
    return { model, tokenizer, maxLength, ...(await shortened(tokenizer, texts, encoded, maxLength, signal)) };
  } catch (error) {
    model.dispose();
    throw error;
  }
}

/** Encodes those texts again that a shorter limit cuts. */
async function shortened(tokenizer: Tokenizer, texts: readonly string[], { rows, truncated }: { rows: readonly EncodedRow[]; truncated: readonly number[] }, maxLength: number, signal: AbortSignal | undefined): Promise<{ encoded: EncodedRow[]; truncated: number[] }> {
  const encoded = [...rows];
  const long = rows.flatMap(({ inputIds }, place) => (inputIds.length > maxLength ? [place] : []));
  const cut = await encodeTexts(tokenizer, long.map((place) => texts[place]!), { maxLength, signal });
  long.forEach((place, i) => (encoded[place] = cut.rows[i]!));
  return { encoded, truncated: [...new Set([...truncated, ...long])].sort((a, b) => a - b) };
}

function lengthsOf(rows: readonly EncodedRow[]): number[] {
  return rows.map(({ inputIds }) => inputIds.length);
}

/** Rows and tokens, as recipes want to know them. */
export function sizeOfData(rows: readonly EncodedRow[]): DataSize {
  return { numRows: rows.length, numTokens: rows.reduce((total, { inputIds }) => total + inputIds.length, 0) };
}

function statisticsOf(texts: readonly string[]): TextStatistics {
  let numCharacters = 0;
  let ideographs = 0;
  for (const text of texts) {
    numCharacters += text.length;
    ideographs += text.match(/\p{Script=Han}/gu)?.length ?? 0;
  }
  return { numTexts: texts.length, numCharacters, ideographShare: ideographs / Math.max(1, numCharacters) };
}

function* firstCharacters(texts: readonly string[], count: number): Generator<string> {
  let left = count;
  for (const text of texts) {
    if (left <= 0) return;
    yield text;
    left -= text.length;
  }
}
