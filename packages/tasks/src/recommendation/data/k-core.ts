import type { Interactions } from "../interactions.ts";
import { countItems, selectEvents } from "./select-events.ts";

/**
 * Drops users and items with too few events, again and again, as each may leave others with too few: what remains is the
 * largest part where every user and every item has enough (Seidman 1983). It may be empty.
 */
export function kCore(interactions: Interactions, { minEventsPerUser = 1, minEventsPerItem = 1 }: { readonly minEventsPerUser?: number | undefined; readonly minEventsPerItem?: number | undefined }): Interactions {
  const { histories, itemIds } = interactions;
  const ofItem = countItems(histories, itemIds.length);
  const isGone = new Uint8Array(histories.length);
  // An item stays in the count of a user until it falls below the limit, then it leaves all of them.
  const fallen = new Uint8Array(itemIds.length);
  for (let hasChanged = true; hasChanged; ) {
    hasChanged = false;
    histories.forEach((history, user) => {
      if (isGone[user] === 1) return;
      let left = 0;
      for (const item of history) if (ofItem[item]! >= minEventsPerItem && fallen[item] === 0) left++;
      if (left >= Math.max(minEventsPerUser, 1)) return;
      isGone[user] = 1;
      hasChanged = true;
      for (const item of history) ofItem[item]!--;
    });
    ofItem.forEach((count, item) => {
      if (fallen[item] === 1 || count >= minEventsPerItem) return;
      fallen[item] = 1;
      hasChanged = true;
    });
  }
  return selectEvents(interactions, (user, at) => isGone[user] === 0 && fallen[histories[user]![at]!] === 0);
}
