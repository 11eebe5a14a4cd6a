import { HeddleError } from "@heddle/kernels";
import type { Model } from "@heddle/transformer";
import type { Catalogue } from "./catalogue.ts";
import { encodeFeatures, isWithoutFeatures, joined } from "./item-features.ts";
import { tableOf } from "./item-table.ts";
import type { KnownFeatures } from "./known-features.ts";
import { ItemWriter, requireNew, withRoomFor } from "./new-items.ts";
import type { AddedItems, NewItem } from "./types.ts";

/** A catalogue and the model that knows it. */
export interface Extensible {
  readonly model: Model;
  readonly catalogue: Catalogue;
  readonly features: KnownFeatures | undefined;
  /** For the model's present table; absent before the first addition. */
  readonly writer: ItemWriter | undefined;
}

/**
 * A catalogue with more items, by their features. The model's table gets them in place where it has room, else a longer one takes its
 * place: the old one stays the caller's. Whatever fails, what was given is as it was.
 *
 * Errors: INVALID_ARGUMENT for a model that knows nothing of features; DATA_INVALID.
 */
export async function extend(served: Extensible, items: readonly NewItem[]): Promise<{ extended: Extensible; added: AddedItems }> {
  const { model, catalogue, features, writer: present } = served;
  if (!features) throw new HeddleError("INVALID_ARGUMENT", "[recommender] addItems: this model was trained without features of items, so it cannot place new ones: train it with itemFeatures, or anew with these items in the interactions");
  requireNew(items, catalogue);
  const { encoded, unknown } = encodeFeatures(items, features.names);
  const itemIds = items.map(({ itemId }) => itemId);
  const added = { itemIds, unknown, withoutFeatures: itemIds.filter((_, item) => isWithoutFeatures(encoded, item)) };
  if (items.length === 0) return { extended: served, added };
  const larger = await withRoomFor(model, catalogue.size + items.length);
  const table = tableOf(larger);
  const writer = present?.table === table ? present : new ItemWriter(table, features);
  try {
    await writer.write(encoded, catalogue.size);
  } catch (error) {
    if (writer !== present) writer.dispose();
    if (table !== tableOf(model)) table.dispose();
    throw error;
  }
  return { extended: { model: larger, catalogue: catalogue.with(itemIds), features: { ...features, encoded: joined(features.encoded, encoded) }, writer }, added };
}
