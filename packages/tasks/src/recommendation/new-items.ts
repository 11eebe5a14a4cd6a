import { asTensor, assign, compile, HeddleError, scatterAdd, where, type CompiledFunction, type State } from "@heddle/kernels";
import { Model, type SASRecConfig } from "@heddle/transformer";
import type { Catalogue } from "./catalogue.ts";
import { featureTensors, type EncodedFeatures } from "./item-features.ts";
import { ITEM_TABLE, tableOf } from "./item-table.ts";
import type { KnownFeatures } from "./known-features.ts";
import { rowOf } from "./rank-requests.ts";
import type { NewItem } from "./types.ts";

/** Rows in store for items to come, so that adding a few makes no program anew. */
const SPARE_ROWS = 64;
/** Items, and categories of items, that a program writes at once; more by powers of two. */
const LEAST_PLACES = 16;

/** Throws DATA_INVALID for an id that is empty, there twice, or in the catalogue already. */
export function requireNew(items: readonly NewItem[], catalogue: Catalogue): void {
  const invalid = (what: string) => new HeddleError("DATA_INVALID", `[recommender] addItems: ${what}; nothing was added`);
  const ids = new Set<string>();
  for (const { itemId } of items) {
    if (itemId === "") throw invalid("an item has an empty id: give it one of its own");
    if (ids.has(itemId)) throw invalid(`the id ${JSON.stringify(itemId)} is there twice: give every item an id of its own`);
    if (catalogue.find(itemId) !== undefined) throw invalid(`the catalogue has an item ${JSON.stringify(itemId)} already: leave it out, or choose another id`);
    ids.add(itemId);
  }
}

/** A model of `numItems` items on the same states; where its table has no room for so many, with a longer one, which is new. */
export async function withRoomFor(model: Model, numItems: number): Promise<Model> {
  const config = model.config as SASRecConfig;
  const table = tableOf(model);
  const hasRoom = rowOf(numItems) <= config.vocabSize;
  const vocabSize = hasRoom ? config.vocabSize : rowOf(numItems) + SPARE_ROWS;
  const next = (parameters: ReadonlyMap<string, State>) => {
    const larger = new Model(model.architecture, { ...config, numItems, vocabSize }, model.device, parameters);
    larger.onDispose = model.onDispose;
    return larger;
  };
  if (hasRoom) return next(model.parameters);
  const rows = new Float32Array(vocabSize * config.hiddenSize);
  const [content] = await model.device.readStates([table]);
  rows.set(content as Float32Array);
  return next(new Map([...model.parameters, [ITEM_TABLE, model.device.createState(table.name, { dtype: "f32", shape: [vocabSize, config.hiddenSize] }, rows)]]));
}

/** Writes what features say of items into a table of items. */
export class ItemWriter {
  private readonly writing: CompiledFunction;

  constructor(
    readonly table: State,
    private readonly features: Pick<KnownFeatures, "names" | "encoder">,
  ) {
    const [count] = table.type.shape as [number, number];
    this.writing = compile(table.device, "add-items", ({ rows, ...inputs }) => {
      const [places] = rows!.shape as [number];
      const isNew = scatterAdd(rows!, { shape: [places, 1], data: new Float32Array(places).fill(1) }, count);
      assign(table, where(isNew, scatterAdd(rows!, this.features.encoder.vectors(places, inputs), count), asTensor(table)));
      return {};
    });
  }

  /** @param items one at least, for the rows from that of item `first` on */
  async write(items: EncodedFeatures, first: number): Promise<void> {
    const numItems = items.starts.length - 1;
    const places = placesFor(numItems);
    // -1 is no row.
    const rows = Int32Array.from({ length: places }, (_, i) => (i < numItems ? rowOf(first + i) : -1));
    const pairs = this.features.names.categories.length > 0 ? placesFor(items.categories.length) : 0;
    await this.writing.run({ rows: { shape: [places], data: rows }, ...featureTensors(items, { firstRow: 0, rows: places, pairs }) });
  }

  dispose(): void {
    this.writing.dispose();
  }
}

function placesFor(count: number): number {
  let places = LEAST_PLACES;
  while (places < count) places *= 2;
  return places;
}
