import { HeddleError } from "@heddle/kernels";
import { ItemFeatureEncoder, ItemFeatureModel, type Model, type SASRecConfig } from "@heddle/transformer";
import { encodeFeatures, featureNamesOf, featureTensors } from "./item-features.ts";
import { featureSizes, type KnownFeatures } from "./known-features.ts";
import { rowOf } from "./rank-requests.ts";
import type { FitRecommenderOptions } from "./types.ts";

/** What `fit` learns of items' features; made before a device is opened, as it finds what is wrong with them. */
export type PlannedFeatures = Omit<KnownFeatures, "encoder"> & { readonly itemDropout: number };

/** Undefined without features. Errors: those of `featureNamesOf` and `encodeFeatures`. */
export function planFeatures(itemIds: readonly string[], { itemFeatures, itemDropout = 0.3 }: Pick<FitRecommenderOptions, "itemFeatures" | "itemDropout">): PlannedFeatures | undefined {
  if (!itemFeatures) return undefined;
  if (!(itemDropout >= 0 && itemDropout < 1)) throw new HeddleError("INVALID_ARGUMENT", `[SequentialRecommender.fit] itemDropout must be in [0, 1), got ${itemDropout}; 0.3 is the default`);
  const names = featureNamesOf(itemIds, itemFeatures);
  return { names, encoded: encodeFeatures(itemIds.map((itemId) => ({ itemId, features: itemFeatures.get(itemId) })), names).encoded, itemDropout };
}

/** A model that is trained with features in place of `model`, and what it learns of them. */
export function withFeatures(model: Model, { names, encoded, itemDropout }: PlannedFeatures, seed: number): { trained: ItemFeatureModel; features: KnownFeatures } {
  const config = model.config as SASRecConfig;
  if (config.vocabSize !== rowOf(config.numItems)) throw new HeddleError("INVALID_ARGUMENT", `[SequentialRecommender.fit] ${config.modelType} keeps rows of its own behind its items, where new ones would stand: choose "sasrec" for itemFeatures`);
  const encoder = ItemFeatureEncoder.create(model.device, featureSizes(names, config), seed);
  const trained = new ItemFeatureModel(model, encoder, { features: featureTensors(encoded, { firstRow: rowOf(0), rows: config.vocabSize }), itemDropout });
  return { trained, features: { names, encoded, encoder } };
}
