import type { DeviceChoice } from "../inference/device.ts";
import type { Interactions } from "./interactions.ts";

export interface RecommenderOptions {
  readonly device?: DeviceChoice;
  readonly signal?: AbortSignal;
  /** Hears which device "auto" has chosen, and why. Default: `console.warn`. */
  readonly log?: (line: string) => void;
}

export interface LoadRecommenderOptions extends RecommenderOptions {
  /** The items' own ids, in the order of the model's rows, where the folder does not tell them. Default: "1", "2", "3" … */
  readonly itemIds?: readonly string[];
  /** Who touched what: for `userId`, and for what is popular. A folder has neither histories nor names of users. */
  readonly interactions?: Interactions;
}

export interface RecommendRequest {
  /** Items that the visitor touched, oldest first. Only the newest count, as many as the model's window holds. */
  readonly history?: readonly string[];
  /** A user of the interactions that the recommender was given. One whom nobody knows gets what is popular, marked so. */
  readonly userId?: string;
  /** Default 10. Fewer come back where fewer are left. */
  readonly topK?: number;
  /** Whether what the visitor touched before is left out. Default true. */
  readonly excludeSeen?: boolean;
  /** Which items may be recommended. Asked for the best few hundred, and only where too few of these may come for the whole catalogue. */
  readonly filter?: (itemId: string) => boolean;
}

export interface Recommendation {
  readonly itemId: string;
  /** The model's score, larger for likelier; of what is merely popular, how often it was touched. */
  readonly score: number;
  /** There where nothing is known of the visitor: these are the items touched most. */
  readonly fallback?: "popularity";
}

export interface SimilarItem {
  readonly itemId: string;
  /** Cosine of the two items' embeddings. */
  readonly score: number;
}

export interface RanksOptions {
  /** For each user, items that do not count, as what was touched before. Numbers of `itemIds`. */
  readonly exclude?: readonly ArrayLike<number>[];
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { readonly doneUsers: number; readonly totalUsers: number }) => void;
}
