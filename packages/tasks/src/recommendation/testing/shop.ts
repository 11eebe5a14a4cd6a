import type { InteractionEvent } from "../data/from-events.ts";
import { SequentialRecommender } from "../recommender.ts";
import type { UpdateSettings } from "../update/types.ts";

// A shop of 40 items in a circle, for tests. Its customers go round it step by step, but hardly ever where it has its newest items, from
// number 30 on. Visitors of today do.

export const NUM_ITEMS = 40;
const itemId = (place: number) => `item-${place % NUM_ITEMS}`;

/** Customers who are known from the start. */
export const customers = {
  userIds: Array.from({ length: 120 }, (_, user) => `customer-${user}`),
  itemIds: Array.from({ length: NUM_ITEMS }, (_, item) => `item-${item}`),
  histories: Array.from({ length: 120 }, (_, user) => Int32Array.from({ length: 6 }, (_place, i) => (user % 28) + i)),
};

export const settings = { eventsPerRound: 150, numEpochs: 2, learningRate: 0.004, guardShare: 0.3, numNegatives: 16, batchSize: 16, maxItemShare: 0.2 } as const satisfies UpdateSettings;

/** A recommender that learnt where these customers go. */
export function openShop(updates: UpdateSettings = {}): Promise<SequentialRecommender> {
  return SequentialRecommender.fit(customers, { device: "cpu", maxLength: 6, hiddenSize: 16, numHiddenLayers: 1, dropout: 0.1, batchSize: 32, learningRate: 0.01, numTrainEpochs: 6, evalEpochs: 6, loss: "sampled-softmax", numNegatives: 16, updates: { ...settings, ...updates } });
}

const placeOf = (visitor: number, click: number) => 30 + (visitor % 9) + click;

/** The first `length` clicks of visitors number `from` to `to`; one click each in turn. */
export function visits(from: number, to: number, length: number): InteractionEvent[] {
  return Array.from({ length }, (_, i) => Array.from({ length: to - from }, (_visitor, n) => ({ userId: `visitor-${from + n}`, itemId: itemId(placeOf(from + n, i)), time: 1.7e12 + i * 60_000 + n }))).flat();
}

/** Where a visitor who made `length` clicks goes next. */
export const nextOf = (visitor: number, length: number): string => itemId(placeOf(visitor, length));
