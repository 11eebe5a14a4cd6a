import { HeddleError, type HostTensor } from "@heddle/kernels";
import type { ItemFeatureNames, ItemNumberScale } from "@heddle/transformer";

/** What is known of an item before anybody touched it. */
export interface ItemFeatures {
  /** Names, such as "kind:tent" or "brand:Alder". */
  readonly categories?: readonly string[];
  /** By name, such as a price; brought to a common scale by the mean and the deviation over all items that have one. */
  readonly numbers?: Readonly<Record<string, number>>;
  /** Of its text or picture, from any encoder; all items' of one length. */
  readonly embedding?: readonly number[];
}

/** Items' features by a model's numbers: an item's categories stand between two of `starts`. */
export interface EncodedFeatures {
  /** [items + 1] */
  readonly starts: Int32Array;
  /** Numbers of `ItemFeatureNames.categories`. */
  readonly categories: Int32Array;
  /** [items, values]: numbers on their common scale, 0 where an item has none, then the embedding. */
  readonly values: Float32Array;
}

/** What an item had that no item of the training had. */
export interface UnknownFeatures {
  readonly itemId: string;
  readonly categories: readonly string[];
  readonly numbers: readonly string[];
}

/** Deviations beyond which a number counts no more: one price with a digit too many must not drown all else. */
const LARGEST_VALUE = 4;
/** Of one item alone, a category says what its own embedding says, and nothing of a new item. */
const LEAST_ITEMS = 2;
/** Skewness above which numbers, all above 0, are taken to spread by ratios. */
const SKEWED = 1;

export const valuesOf = ({ numbers, embedding }: ItemFeatureNames): number => numbers.length + (embedding?.size ?? 0);

/**
 * The features that a model can learn of: categories of at least two items, numbers that differ, and embeddings.
 *
 * Errors: DATA_INVALID for a number that is not finite, or embeddings of several lengths; DATA_EMPTY where nothing is left.
 */
export function featureNamesOf(itemIds: readonly string[], features: ReadonlyMap<string, ItemFeatures>): ItemFeatureNames {
  const ofCategory = new Map<string, number>();
  const ofNumber = new Map<string, number[]>();
  let first: { readonly itemId: string; readonly size: number } | undefined;
  let [squares, numItems] = [0, 0];
  for (const itemId of itemIds) {
    const own = features.get(itemId);
    if (!own) continue;
    requireFinite(itemId, own);
    numItems++;
    for (const name of new Set(own.categories)) ofCategory.set(name, (ofCategory.get(name) ?? 0) + 1);
    for (const [name, value] of Object.entries(own.numbers ?? {})) {
      const values = ofNumber.get(name);
      if (values) values.push(value);
      else ofNumber.set(name, [value]);
    }
    if (!own.embedding) continue;
    first ??= { itemId, size: own.embedding.length };
    if (own.embedding.length !== first.size || first.size === 0) throw invalid(`the embedding of item ${JSON.stringify(itemId)} has ${own.embedding.length} numbers, that of ${JSON.stringify(first.itemId)} ${first.size}: make all by one encoder`);
    squares += own.embedding.reduce((sum, value) => sum + value * value, 0);
  }
  const categories = [...ofCategory].filter(([, count]) => count >= Math.min(LEAST_ITEMS, numItems)).map(([name]) => name).sort();
  const numbers = [...ofNumber].flatMap(([name, values]) => scaleOf(name, values) ?? []).sort((a, b) => (a.name < b.name ? -1 : 1));
  if (categories.length === 0 && numbers.length === 0 && squares === 0) {
    throw new HeddleError("DATA_EMPTY", `[itemFeatures] ${numItems} of ${itemIds.length} items have features, and none of them says anything of another item: give categories that at least two items share, numbers that differ, or embeddings, under the items' own ids`);
  }
  const numEmbeddings = first && itemIds.filter((itemId) => features.get(itemId)?.embedding).length;
  // An embedding then is as long as a row of a category: 1 on average.
  return { categories, numbers, ...(first && squares > 0 && { embedding: { size: first.size, scale: Math.sqrt(numEmbeddings! / squares) } }) };
}

/** Undefined for numbers that are all the same. */
function scaleOf(name: string, values: readonly number[]): ItemNumberScale | undefined {
  const isLogarithm = values.every((value) => value > 0) && momentsOf(values).skewness > SKEWED;
  const { mean, deviation } = momentsOf(isLogarithm ? values.map(Math.log) : values);
  return deviation > 1e-9 * Math.abs(mean) ? { name, isLogarithm, mean, deviation } : undefined;
}

function momentsOf(values: readonly number[]): { mean: number; deviation: number; skewness: number } {
  const average = (map: (value: number) => number) => values.reduce((sum, value) => sum + map(value) / values.length, 0);
  const mean = average((value) => value);
  const deviation = Math.sqrt(average((value) => (value - mean) ** 2));
  return { mean, deviation, skewness: deviation === 0 ? 0 : average((value) => ((value - mean) / deviation) ** 3) };
}

/**
 * Features by a model's names. What the model never learnt of is left out and told.
 *
 * Error: DATA_INVALID for a number that is not finite, or an embedding that the model cannot read, before anything is encoded.
 */
export function encodeFeatures(items: readonly { readonly itemId: string; readonly features?: ItemFeatures | undefined }[], names: ItemFeatureNames): { encoded: EncodedFeatures; unknown: UnknownFeatures[] } {
  const { numbers, embedding } = names;
  for (const { itemId, features } of items) if (features) requireReadable(itemId, features, names);
  const numberOf = new Map(names.categories.map((name, i) => [name, i]));
  const known = new Set(numbers.map(({ name }) => name));
  const width = valuesOf(names);
  const starts = new Int32Array(items.length + 1);
  const values = new Float32Array(items.length * width);
  const categories: number[] = [];
  const unknown: UnknownFeatures[] = [];
  items.forEach(({ itemId, features = {} }, item) => {
    const named = [...new Set(features.categories)];
    for (const name of named) if (numberOf.has(name)) categories.push(numberOf.get(name)!);
    starts[item + 1] = categories.length;
    numbers.forEach(({ name, ...scale }, i) => (values[item * width + i] = scaled(features.numbers?.[name], scale)));
    features.embedding?.forEach((value, i) => (values[item * width + numbers.length + i] = value * embedding!.scale));
    const foreign = { itemId, categories: named.filter((name) => !numberOf.has(name)), numbers: Object.keys(features.numbers ?? {}).filter((name) => !known.has(name)) };
    if (foreign.categories.length + foreign.numbers.length > 0) unknown.push(foreign);
  });
  return { encoded: { starts, categories: Int32Array.from(categories), values }, unknown };
}

function scaled(value: number | undefined, { isLogarithm, mean, deviation }: Omit<ItemNumberScale, "name">): number {
  if (value === undefined) return 0;
  // What has no logarithm is below all that have one.
  const level = isLogarithm ? Math.log(Math.max(value, Number.MIN_VALUE)) : value;
  return Math.max(-LARGEST_VALUE, Math.min(LARGEST_VALUE, (level - mean) / deviation));
}

function requireReadable(itemId: string, features: ItemFeatures, { embedding }: ItemFeatureNames): void {
  requireFinite(itemId, features);
  const size = features.embedding?.length;
  if (size === undefined || size === embedding?.size) return;
  throw invalid(`the embedding of item ${JSON.stringify(itemId)} has ${size} numbers, and the model was trained ${embedding ? `with ${embedding.size}: use the same encoder` : "without embeddings: leave it out, or train with embeddings"}`);
}

function requireFinite(itemId: string, { numbers = {}, embedding = [] }: ItemFeatures): void {
  for (const [name, value] of Object.entries(numbers)) if (!Number.isFinite(value)) throw invalid(`the number ${JSON.stringify(name)} of item ${JSON.stringify(itemId)} is ${value}: give a finite one, or leave it out`);
  const broken = embedding.findIndex((value) => !Number.isFinite(value));
  if (broken >= 0) throw invalid(`element ${broken} of the embedding of item ${JSON.stringify(itemId)} is ${embedding[broken]}: give finite numbers, or leave the embedding out`);
}

/** Both, one after the other. */
export function joined(a: EncodedFeatures, b: EncodedFeatures): EncodedFeatures {
  const starts = new Int32Array(a.starts.length + b.starts.length - 1);
  starts.set(a.starts);
  starts.set(b.starts.subarray(1).map((start) => start + a.categories.length), a.starts.length);
  const categories = new Int32Array(a.categories.length + b.categories.length);
  categories.set(a.categories);
  categories.set(b.categories, a.categories.length);
  const values = new Float32Array(a.values.length + b.values.length);
  values.set(a.values);
  values.set(b.values, a.values.length);
  return { starts, categories, values };
}

/** As a model reads them, the first item at row `firstRow` of `rows`. */
export function featureTensors({ starts, categories, values }: EncodedFeatures, { firstRow, rows, pairs = categories.length }: { readonly firstRow: number; readonly rows: number; readonly pairs?: number }): { pairRows?: HostTensor; pairCategories?: HostTensor; values?: HostTensor } {
  const numItems = starts.length - 1;
  const width = values.length / numItems;
  // Beyond all rows, where a pair adds nothing.
  const pairRows = new Int32Array(pairs).fill(rows);
  for (let item = 0; item < numItems; item++) pairRows.fill(firstRow + item, starts[item], starts[item + 1]);
  const pairCategories = new Int32Array(pairs);
  pairCategories.set(categories);
  const allValues = new Float32Array(rows * width);
  allValues.set(values, firstRow * width);
  return {
    ...(pairs > 0 && { pairRows: { shape: [pairs], data: pairRows }, pairCategories: { shape: [pairs], data: pairCategories } }),
    ...(width > 0 && { values: { shape: [rows, width], data: allValues } }),
  };
}

/** Whether no feature of an item is known. */
export function isWithoutFeatures({ starts, values }: EncodedFeatures, item: number): boolean {
  const width = values.length / (starts.length - 1);
  return starts[item] === starts[item + 1] && values.subarray(item * width, (item + 1) * width).every((value) => value === 0);
}

const invalid = (what: string) => new HeddleError("DATA_INVALID", `[itemFeatures] ${what}`);
