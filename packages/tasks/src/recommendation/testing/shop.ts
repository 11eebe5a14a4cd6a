import { SequentialRecommender } from "../recommender.ts";
import type { LiveEvent, UpdateSettings } from "../update/types.ts";

// A shop of 40 items in a circle, for tests. Its customers go round it step by step, from another item on; what is new takes three steps
// at a time.

export const NUM_ITEMS = 40;
const itemId = (place: number) => `item-${((place % NUM_ITEMS) + NUM_ITEMS) % NUM_ITEMS}`;

/** Customers who are known from the start. */
export const customers = {
  userIds: Array.from({ length: 160 }, (_, user) => `customer-${user}`),
  itemIds: Array.from({ length: NUM_ITEMS }, (_, item) => `item-${item}`),
  histories: Array.from({ length: 160 }, (_, user) => Int32Array.from({ length: 6 }, (_place, i) => (user + i) % NUM_ITEMS)),
};

export const settings = { eventsPerRound: 200, numEpochs: 4, learningRate: 0.003, guardShare: 0.2, numNegatives: 16, batchSize: 16 } as const satisfies UpdateSettings;

/** A recommender that learnt where these customers go. */
export function openShop(updates: UpdateSettings = {}): Promise<SequentialRecommender> {
  return SequentialRecommender.fit(customers, { device: "cpu", maxLength: 6, hiddenSize: 16, numHiddenLayers: 1, dropout: 0.1, batchSize: 32, learningRate: 0.01, numTrainEpochs: 20, evalEpochs: 20, loss: "sampled-softmax", numNegatives: 16, updates: { ...settings, ...updates } });
}

/** The first `length` clicks of visitors number `from` to `to`, who take three steps at a time; one click each in turn. */
export function visits(from: number, to: number, length: number): LiveEvent[] {
  return Array.from({ length }, (_, i) => Array.from({ length: to - from }, (_visitor, n) => ({ userId: `visitor-${from + n}`, itemId: itemId(7 * (from + n) + 3 * i), time: 1.7e12 + i * 60_000 + n }))).flat();
}

/** Where a visitor who made `length` clicks goes next. */
export const nextOf = (visitor: number, length: number): string => itemId(7 * visitor + 3 * length);
