import type { Interactions } from "../interactions.ts";
import { orderOfIds } from "./ids.ts";

/**
 * The events that `keeps` names, with users and items that are left without any gone, and ids in order.
 *
 * @param keeps whether event number `at` of user number `user` stays
 */
export function selectEvents(interactions: Interactions, keeps: (user: number, at: number) => boolean): Interactions {
  const { userIds, itemIds, histories, times } = interactions;
  const kept = histories.map((history, user) => history.filter((_, at) => keeps(user, at)));
  const users = orderOfIds(userIds).filter((user) => kept[user]!.length > 0);
  const isUsed = new Uint8Array(itemIds.length);
  for (const history of kept) for (const item of history) isUsed[item] = 1;
  const items = orderOfIds(itemIds).filter((item) => isUsed[item] === 1);
  const renamed = new Int32Array(itemIds.length);
  items.forEach((item, i) => (renamed[item] = i));
  const inOrder = <T>(values: readonly T[]): T[] => Array.from(users, (user) => values[user]!);
  return {
    userIds: inOrder(userIds),
    itemIds: Array.from(items, (item) => itemIds[item]!),
    histories: inOrder(kept).map((history) => history.map((item) => renamed[item]!)),
    ...(times && { times: inOrder(times.map((own, user) => own.filter((_, at) => keeps(user, at)))) }),
  };
}

/** Events of each item. */
export function countItems(histories: readonly Int32Array[], numItems: number): Int32Array {
  const counts = new Int32Array(numItems);
  for (const history of histories) for (const item of history) counts[item]!++;
  return counts;
}
