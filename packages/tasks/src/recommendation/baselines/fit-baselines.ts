import { HeddleError, type Device } from "@heddle/kernels";
import type { ItemScorer } from "../evaluation/recommender.ts";
import type { Interactions } from "../interactions.ts";
import { fitEase } from "./ease.ts";
import { fitItemKnn } from "./item-knn.ts";
import { fitMarkov } from "./markov.ts";
import { fitPopularity } from "./popularity.ts";
import { fitRecency } from "./recency.ts";

export interface FittedBaselines {
  readonly baselines: readonly ItemScorer[];
  /** Those that this catalogue is too large for, and why: a report has to name them. */
  readonly leftOut: readonly { readonly name: string; readonly reason: string }[];
}

/**
 * Popularity, recency, item-kNN, first-order Markov and EASE on the same training interactions.
 *
 * @param device for EASE's products
 */
export async function fitBaselines(train: Interactions, { device }: { readonly device?: Device } = {}): Promise<FittedBaselines> {
  const baselines = [fitPopularity(train), fitRecency(train), fitItemKnn(train), fitMarkov(train)];
  try {
    return { baselines: [...baselines, await fitEase(train, device ? { device } : {})], leftOut: [] };
  } catch (error) {
    if (!HeddleError.isInstance(error) || error.code !== "LIMIT_EXCEEDED") throw error;
    return { baselines, leftOut: [{ name: "ease", reason: error.message }] };
  }
}
