import { HeddleError } from "@heddle/kernels";
import type { UpdateSettings } from "./types.ts";

const DEFAULTS = { eventsPerRound: 256, numEpochs: 2, learningRate: 3e-4, batchSize: 32, replayRatio: 3, guardShare: 0.1, guardEvents: 1000, maxEventsPerMinute: 100, maxItemShare: 0.05, seed: 42 } as const;
const DEFAULT_NEGATIVES = 1024;

/** With the defaults of what is not given. Throws INVALID_ARGUMENT. */
export function resolveSettings(given: UpdateSettings, numItems: number): Required<UpdateSettings> {
  const settings = { ...DEFAULTS, numNegatives: Math.min(DEFAULT_NEGATIVES, numItems), ...given };
  const check = (holds: boolean, name: keyof UpdateSettings, wanted: string) => {
    if (!holds) throw new HeddleError("INVALID_ARGUMENT", `[SequentialRecommender.update] ${name} is ${settings[name]}: give ${wanted}`);
  };
  for (const name of ["eventsPerRound", "numEpochs", "batchSize", "numNegatives", "guardEvents", "maxEventsPerMinute"] as const) check(Number.isInteger(settings[name]) && settings[name] >= 1, name, "a whole number of at least 1");
  check(settings.learningRate > 0 && settings.learningRate < Infinity, "learningRate", "a number above 0");
  check(settings.replayRatio >= 0 && settings.replayRatio < Infinity, "replayRatio", "a number of at least 0");
  check(settings.guardShare > 0 && settings.guardShare < 1, "guardShare", "a share above 0 and below 1");
  check(settings.maxItemShare > 0 && settings.maxItemShare <= 1, "maxItemShare", "a share above 0, or 1 for none");
  check(Number.isInteger(settings.seed), "seed", "a whole number");
  return settings;
}
