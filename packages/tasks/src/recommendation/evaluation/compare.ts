import { HeddleError } from "@heddle/kernels";
import { bootstrapMeans, type BootstrapOptions, type Interval } from "./bootstrap.ts";
import type { RecommenderEvaluation } from "./evaluate.ts";
import { measureKeys } from "./measures.ts";
import type { MeasureKey } from "./segments.ts";

export interface CompareOptions extends BootstrapOptions {
  /** Default "ndcg@10", or NDCG at the longest list where 10 was not measured. */
  readonly measure?: MeasureKey;
}

/** A model beside one baseline, over the same queries. */
export interface BaselineVerdict {
  readonly baseline: string;
  readonly baselineValue: number;
  /** The model's mean less the baseline's. */
  readonly difference: number;
  /** Of the difference, query by query. */
  readonly interval: Interval;
  /** "unclear" where the interval holds 0: another sample of users could turn the order around. */
  readonly outcome: "better" | "worse" | "unclear";
}

export interface RecommenderComparison {
  readonly model: string;
  readonly measure: MeasureKey;
  readonly modelValue: number;
  /** The strongest baseline first. */
  readonly verdicts: readonly BaselineVerdict[];
  /** Whether the model is better than every baseline. */
  readonly beatsAll: boolean;
}

/**
 * Whether a model is worth more than baselines, by a paired bootstrap over the queries. Errors: INVALID_ARGUMENT where they
 * were not measured on the same queries in the same way, or `measure` was not measured.
 */
export function compareRecommenders(model: RecommenderEvaluation, baselines: readonly RecommenderEvaluation[], options: CompareOptions = {}): RecommenderComparison {
  if (baselines.length === 0) throw new HeddleError("INVALID_ARGUMENT", `[compareRecommenders] there is no baseline to compare ${model.name} with: give at least popularity's evaluation`);
  const measure: MeasureKey = options.measure ?? `ndcg@${model.cutoffs.includes(10) ? 10 : Math.max(...model.cutoffs)}`;
  const keys = measureKeys(model.cutoffs);
  const column = keys.indexOf(measure);
  if (column < 0) throw new HeddleError("INVALID_ARGUMENT", `[compareRecommenders] ${measure} was not measured; there are ${keys.join(", ")}`);
  const valueOf = ({ perQuery }: RecommenderEvaluation, query: number): number => perQuery[query * keys.length + column]!;
  const verdicts = baselines.map((baseline): BaselineVerdict => {
    if (baseline.queriesKey !== model.queriesKey) throw new HeddleError("INVALID_ARGUMENT", `[compareRecommenders] ${model.name} and ${baseline.name} were not measured alike (queries, cutoffs, seen items or sampling differ): evaluate both with the same queries and options`);
    const differences = Float64Array.from({ length: model.numQueries }, (_, query) => valueOf(model, query) - valueOf(baseline, query));
    const [interval] = bootstrapMeans(differences, 1, options) as [Interval];
    return {
      baseline: baseline.name,
      baselineValue: baseline.measures[measure]!,
      difference: model.measures[measure]! - baseline.measures[measure]!,
      interval,
      outcome: interval.low > 0 ? "better" : interval.high < 0 ? "worse" : "unclear",
    };
  });
  verdicts.sort((a, b) => b.baselineValue - a.baselineValue);
  return { model: model.name, measure, modelValue: model.measures[measure]!, verdicts, beatsAll: verdicts.every(({ outcome }) => outcome === "better") };
}

/** The comparison in sentences, the conclusion first. */
export function describeComparison({ model, measure, modelValue, verdicts, beatsAll }: RecommenderComparison): string[] {
  const unbeaten = verdicts.filter(({ outcome }) => outcome !== "better");
  const worse = unbeaten.filter(({ outcome }) => outcome === "worse").map(({ baseline }) => baseline);
  const unclear = unbeaten.filter(({ outcome }) => outcome === "unclear").map(({ baseline }) => baseline);
  const conclusion = beatsAll
    ? `${model} beats every baseline in ${measure}`
    : `${model} does not beat ${[worse.length > 0 && `${worse.join(", ")} (which ${worse.length === 1 ? "is" : "are"} better)`, unclear.length > 0 && `${unclear.join(", ")} (no clear difference)`].filter(Boolean).join(" and ")} in ${measure}: the simpler one is the better choice`;
  const four = (value: number): string => value.toFixed(4);
  return [
    conclusion,
    ...verdicts.map(({ baseline, baselineValue, difference, interval }) => `${measure} ${four(modelValue)} against ${baseline}'s ${four(baselineValue)}: ${difference < 0 ? "" : "+"}${four(difference)} (${four(interval.low)} to ${four(interval.high)})`),
  ];
}
