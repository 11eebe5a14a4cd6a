import type { HostTensor } from "@heddle/kernels";
import type { RecommenderConfig } from "@heddle/transformer";

// What a model reads when it is asked what comes next, which it answers at the last place: a history, and where a family was taught to
// fill gaps the gap behind it.

/** Rows of the table that stand behind a history. */
const endOf = (config: RecommenderConfig): readonly number[] => (config.modelType === "bert4rec" ? [config.maskTokenId] : []);

/** How many of the newest items of a history count. */
export const itemsRead = (config: RecommenderConfig): number => config.maxPositionEmbeddings - endOf(config).length;

/**
 * The newest items of each history, padded on the left to the model's window.
 *
 * @param histories rows of the table, oldest first
 * @param places histories that the tensor has room for; those missing are padding
 * @returns i32 [places, length]
 */
export function questions(config: RecommenderConfig, histories: readonly ArrayLike<number>[], places = histories.length): HostTensor {
  const { maxPositionEmbeddings: length, padTokenId } = config;
  const [most, end] = [itemsRead(config), endOf(config)];
  const data = new Int32Array(places * length).fill(padTokenId);
  for (const [user, history] of histories.entries()) {
    const kept = Math.min(history.length, most);
    const first = user * length + most - kept;
    for (let i = 0; i < kept; i++) data[first + i] = history[history.length - kept + i]!;
    data.set(end, user * length + most);
  }
  return { shape: [places, length], data };
}
