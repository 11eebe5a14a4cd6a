import { HeddleError } from "@heddle/kernels";
import type { DataCollator, EncodedRow } from "@heddle/training";
import type { RecommenderConfig } from "@heddle/transformer";
import { clozeCollator, clozeWindowsOf } from "./cloze.ts";
import { itemsRead } from "./question.ts";
import type { FitRecommenderOptions } from "./types.ts";
import { windowCollator, windowsOf } from "./windows.ts";

/** What a model learns from histories: what comes next at every place, or what fills gaps. */
export interface Lessons {
  /** What there is to learn from a history, by numbers of items. */
  readonly windowsOf: (history: ArrayLike<number>) => EncodedRow[];
  readonly collator: DataCollator;
}

interface LessonOptions extends Pick<FitRecommenderOptions, "maskedShare" | "lastMaskedShare"> {
  /** Items drawn for each batch; 0 for none. */
  readonly numNegatives: number;
  /** See `WindowCollatorOptions`. */
  readonly fewShapes?: boolean;
}

/** Throws INVALID_ARGUMENT for shares that are none. */
export function lessonsOf(config: RecommenderConfig, { maskedShare = 0.2, lastMaskedShare = 0.1, numNegatives, fewShapes = false }: LessonOptions): Lessons {
  const { maxPositionEmbeddings: maxLength, numItems } = config;
  const places = { maxLength, numItems, numNegatives, fewShapes };
  if (config.modelType !== "bert4rec") return { windowsOf: (history) => windowsOf(history, itemsRead(config)), collator: windowCollator(places) };
  if (!(maskedShare > 0 && maskedShare < 1)) throw invalid(`maskedShare must be above 0 and below 1, got ${maskedShare}`);
  if (!(lastMaskedShare >= 0 && lastMaskedShare <= 1)) throw invalid(`lastMaskedShare must be a number from 0 to 1, got ${lastMaskedShare}`);
  return { windowsOf: (history) => clozeWindowsOf(history, itemsRead(config)), collator: clozeCollator({ ...places, maskTokenId: config.maskTokenId, maskedShare, lastMaskedShare }) };
}

const invalid = (what: string) => new HeddleError("INVALID_ARGUMENT", `[SequentialRecommender.fit] ${what}`);
