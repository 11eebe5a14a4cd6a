import { HeddleError, type Device } from "@heddle/kernels";
import { countItems } from "../data/select-events.ts";
import { distinctItems } from "../data/distinct-items.ts";
import type { ItemScorer } from "../evaluation/recommender.ts";
import type { Interactions } from "../interactions.ts";
import { invert, multiplyHere, multiplyOn } from "./inverse.ts";

export interface EaseOptions {
  /** Ridge penalty, the paper's λ. Default 500. */
  readonly l2?: number;
  /** Where the products run; without one they run in plain loops. */
  readonly device?: Device;
}

/** An [items, items] matrix of f32 has 144 MB here, of which three stand at once; the work grows with the cube. */
const MAX_EASE_ITEMS = 6000;
/** In plain loops, some ten seconds. */
const MAX_EASE_ITEMS_WITHOUT_DEVICE = 2000;

/**
 * EASE (Steck 2019, "Embarrassingly Shallow Autoencoders for Sparse Data"), equation 8: item weights B = I - P · diag(1 /
 * diag P), P = (XᵀX + λI)⁻¹, which regress each item on all others in closed form. A score is the sum of the history's rows
 * of B; a new user gets popularity. Errors: LIMIT_EXCEEDED above 6000 items (2000 without a device), INVALID_ARGUMENT.
 */
export async function fitEase({ histories, itemIds }: Interactions, { l2 = 500, device }: EaseOptions = {}): Promise<ItemScorer> {
  if (!(l2 > 0)) throw new HeddleError("INVALID_ARGUMENT", `[ease] l2 is ${l2}: give a number above 0, else the matrix has no inverse`);
  const numItems = itemIds.length;
  const limit = device ? MAX_EASE_ITEMS : MAX_EASE_ITEMS_WITHOUT_DEVICE;
  if (numItems > limit) {
    const hint = numItems > MAX_EASE_ITEMS ? "compare with item-knn, or drop rare items by minEventsPerItem" : `pass a device, with which ${MAX_EASE_ITEMS} go`;
    throw new HeddleError("LIMIT_EXCEEDED", `[ease] ${numItems} items need a matrix of ${numItems} × ${numItems} and its inverse; the limit is ${limit} items${device ? "" : " without a device"}: ${hint}`);
  }
  const weights = gramMatrix(histories, numItems, l2);
  const products = device && multiplyOn(device);
  try {
    await invert(weights, numItems, products?.multiply ?? multiplyHere);
  } finally {
    products?.dispose();
  }
  const diagonal = Float32Array.from({ length: numItems }, (_, item) => weights[item * numItems + item]!);
  for (let row = 0; row < numItems; row++) for (let item = 0; item < numItems; item++) weights[row * numItems + item] = row === item ? 0 : -weights[row * numItems + item]! / diagonal[item]!;
  const popularity = Float32Array.from(countItems(histories, numItems));
  return {
    name: "ease",
    scoreAll(queries) {
      const scores = new Float32Array(queries.length * numItems);
      queries.forEach((history, i) => {
        const own = scores.subarray(i * numItems, (i + 1) * numItems);
        if (history.length === 0) own.set(popularity);
        addRows(own, weights, distinctItems(history));
      });
      return scores;
    },
  };
}

/** Adds rows of `weights` to `sums`, four at a time: a third of the reads and writes of one at a time. */
function addRows(sums: Float32Array, weights: Float32Array, rows: Int32Array): void {
  const size = sums.length;
  const row = (at: number): Float32Array => weights.subarray(rows[at]! * size, (rows[at]! + 1) * size);
  let at = 0;
  for (; at + 4 <= rows.length; at += 4) {
    const [a, b, c, d] = [row(at), row(at + 1), row(at + 2), row(at + 3)];
    for (let item = 0; item < size; item++) sums[item]! += a[item]! + b[item]! + c[item]! + d[item]!;
  }
  for (; at < rows.length; at++) {
    const a = row(at);
    for (let item = 0; item < size; item++) sums[item]! += a[item]!;
  }
}

/** XᵀX + λI, where X [users, items] is 1 for items in a history. */
function gramMatrix(histories: readonly Int32Array[], numItems: number, l2: number): Float32Array {
  const gram = new Float32Array(numItems * numItems);
  for (const history of histories) {
    const items = distinctItems(history);
    for (let i = 0; i < items.length; i++) for (let j = 0, row = items[i]! * numItems; j <= i; j++) gram[row + items[j]!]!++;
  }
  for (let row = 0; row < numItems; row++) {
    for (let item = 0; item < row; item++) gram[item * numItems + row] = gram[row * numItems + item]!;
    gram[row * numItems + row]! += l2;
  }
  return gram;
}
