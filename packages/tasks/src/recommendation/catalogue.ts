import { HeddleError } from "@heddle/kernels";
import { readJson, type ModelFolder } from "@heddle/transformer";
import type { Interactions } from "./interactions.ts";

export const ITEMS_FILE = "items.json";

/** The items' own ids, by the model's numbers: item i has row i + 1 of the model's table, as row 0 is padding's. */
export class Catalogue {
  private readonly numbers: ReadonlyMap<string, number>;

  /** Throws DATA_INVALID where an id is there twice. */
  constructor(
    readonly itemIds: readonly string[],
    /** How often each item was touched, where that is known. */
    readonly counts: readonly number[] | undefined,
  ) {
    const numbers = new Map<string, number>();
    for (const [i, itemId] of itemIds.entries()) numbers.set(itemId, i);
    if (numbers.size !== itemIds.length) {
      const twice = itemIds.find((itemId, i) => numbers.get(itemId) !== i);
      throw new HeddleError("DATA_INVALID", `[recommender] item id ${JSON.stringify(twice)} is there twice: give every item an id of its own`);
    }
    this.numbers = numbers;
  }

  get size(): number {
    return this.itemIds.length;
  }

  find(itemId: string): number | undefined {
    return this.numbers.get(itemId);
  }

  /** An item's number. Throws INVALID_ARGUMENT with the id where nobody knows it. */
  numberOf(itemId: string): number {
    const number = this.numbers.get(itemId);
    if (number !== undefined) return number;
    throw new HeddleError("INVALID_ARGUMENT", `[recommender] no item has the id ${JSON.stringify(itemId)}; the ${this.size} of this model look like ${this.itemIds.slice(0, 3).map((known) => JSON.stringify(known)).join(", ")}: leave it out, or train with it`);
  }

  numbersOf(itemIds: readonly string[]): Int32Array {
    return Int32Array.from(itemIds, (itemId) => this.numberOf(itemId));
  }

  /** With more items behind these, which nobody has touched yet. Throws DATA_INVALID for an id that is there already. */
  with(itemIds: readonly string[]): Catalogue {
    return new Catalogue([...this.itemIds, ...itemIds], this.counts && [...this.counts, ...itemIds.map(() => 0)]);
  }

  /** What `items.json` holds. */
  toJson(): object {
    return { item_ids: this.itemIds, ...(this.counts && { counts: this.counts }) };
  }
}

/** What a folder says of its items; undefined where it says nothing. Throws CONFIG_INVALID, DATA_INVALID. */
export async function readCatalogue(folder: ModelFolder, numItems: number): Promise<Catalogue | undefined> {
  const json = (await readJson(folder, ITEMS_FILE)) as { item_ids?: unknown; counts?: unknown } | undefined;
  if (json === undefined) return undefined;
  const { item_ids: itemIds, counts } = Object(json) as { item_ids?: unknown; counts?: unknown };
  const invalid = (what: string) => new HeddleError("CONFIG_INVALID", `[${folder.label}] ${ITEMS_FILE} ${what}: save the model again`);
  if (!Array.isArray(itemIds) || !itemIds.every((itemId) => typeof itemId === "string")) throw invalid("has no item_ids, a list of texts");
  if (itemIds.length !== numItems) throw invalid(`lists ${itemIds.length} items, the model has ${numItems}`);
  if (counts === undefined) return new Catalogue(itemIds, undefined);
  if (!Array.isArray(counts) || counts.length !== numItems || !counts.every((count) => Number.isInteger(count) && count >= 0)) throw invalid(`wants a count for each of ${numItems} items`);
  return new Catalogue(itemIds, counts as number[]);
}

/** The same events by a catalogue's numbers. Throws DATA_INVALID where somebody touched an item that it lacks. */
export function aligned(interactions: Interactions, catalogue: Catalogue): Interactions {
  const { itemIds, histories } = interactions;
  const numbers = itemIds.map((itemId) => catalogue.find(itemId) ?? -1);
  const unknown = numbers.flatMap((number, i) => (number < 0 ? [itemIds[i]!] : []));
  if (unknown.length > 0) throw new HeddleError("DATA_INVALID", `[recommender] the model does not know ${unknown.length} of ${itemIds.length} items, such as ${JSON.stringify(unknown[0])}: drop these from the interactions, or train with them`);
  return { ...interactions, itemIds: catalogue.itemIds, histories: histories.map((history) => history.map((item) => numbers[item]!)) };
}
