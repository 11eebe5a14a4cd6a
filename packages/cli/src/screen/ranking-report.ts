import type { MeasureKey, RecommenderEvaluation } from "@heddle/tasks";
import type { Screen } from "../session/terminal.ts";
import { columns } from "./table.ts";

/** Hit rate and NDCG at each length of a list: {"hr@5", "ndcg@5", …}, each with all its digits. */
export function rankingJson({ measures, cutoffs }: RecommenderEvaluation): Record<string, number> {
  return Object.fromEntries(cutoffs.flatMap((k) => ([`hr@${k}`, `ndcg@${k}`] as const).map((key) => [key, measures[key]!])));
}

/** Several recommenders side by side, over the same users. */
export function renderRankings(evaluations: readonly RecommenderEvaluation[], { colors }: Screen): string {
  const keys = evaluations[0]!.cutoffs.flatMap((k): MeasureKey[] => [`hr@${k}`, `ndcg@${k}`]);
  return columns([
    ["", ...keys.map((key) => key.replace("hr", "HR").replace("ndcg", "NDCG"))].map((name) => colors.dim(name)),
    ...evaluations.map(({ name, measures }) => [name, ...keys.map((key) => measures[key]!.toFixed(4))]),
  ]);
}
