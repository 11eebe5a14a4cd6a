import { HeddleError, type Device, type HostTensor } from "@heddle/kernels";
import { ItemFeatureEncoder, itemFeatureNamesToJson, parseItemFeatureNames, readJson, statesToWrite, type ItemFeatureNames, type ItemFeatureSizes, type ModelFolder, type SASRecConfig, type TensorToWrite } from "@heddle/transformer";
import { valuesOf, type EncodedFeatures } from "./item-features.ts";

export const FEATURES_FILE = "item_features.json";
const STARTS = "item_features.starts";
const CATEGORIES = "item_features.categories";
const VALUES = "item_features.values";

/** What a recommender knows of features: their names, which item has which, and what the model has learnt of them. */
export interface KnownFeatures {
  readonly names: ItemFeatureNames;
  readonly encoded: EncodedFeatures;
  readonly encoder: ItemFeatureEncoder;
}

export function featureSizes(names: ItemFeatureNames, { hiddenSize, initializerRange }: Pick<SASRecConfig, "hiddenSize" | "initializerRange">): ItemFeatureSizes {
  return { numCategories: names.categories.length, numValues: valuesOf(names), hiddenSize, initializerRange };
}

/** What a folder keeps of them: names in a file, numbers beside the model's own weights. */
export function featureContents({ names, encoded: { starts, categories, values }, encoder }: KnownFeatures): { files: Record<string, object>; tensors: TensorToWrite[] } {
  const tensorOf = (name: string, dtype: "I32" | "F32", data: HostTensor["data"], shape: readonly number[]): TensorToWrite[] => (data.length > 0 ? [{ name, dtype, shape, data }] : []);
  return {
    files: { [FEATURES_FILE]: itemFeatureNamesToJson(names) },
    tensors: [
      ...statesToWrite(encoder.parameters),
      ...tensorOf(STARTS, "I32", starts, [starts.length]),
      ...tensorOf(CATEGORIES, "I32", categories, [categories.length]),
      ...tensorOf(VALUES, "F32", values, [starts.length - 1, valuesOf(names)]),
    ],
  };
}

/** What a folder says of features; undefined where it says nothing. Errors: CONFIG_INVALID, WEIGHTS_MISMATCH, those of reading. */
export async function readFeatures(folder: ModelFolder, device: Device, config: SASRecConfig): Promise<KnownFeatures | undefined> {
  const json = await readJson(folder, FEATURES_FILE);
  if (json === undefined) return undefined;
  const names = parseItemFeatureNames(json, `[${folder.label}] ${FEATURES_FILE}`);
  const weights = await folder.weights();
  const read = new Map<string, Int32Array | Float32Array>();
  const present = [STARTS, CATEGORIES, VALUES].filter((name) => weights.has(name));
  for await (const { name, data } of weights.stream({ names: present })) read.set(name, data);
  const starts = Int32Array.from(read.get(STARTS) ?? []);
  const encoded = { starts, categories: Int32Array.from(read.get(CATEGORIES) ?? []), values: Float32Array.from(read.get(VALUES) ?? []) };
  requireWhole(folder.label, encoded, names, config);
  return { names, encoded, encoder: await ItemFeatureEncoder.load(device, featureSizes(names, config), weights) };
}

function requireWhole(label: string, { starts, categories, values }: EncodedFeatures, names: ItemFeatureNames, { numItems }: SASRecConfig): void {
  const isAscending = starts[0] === 0 && starts.at(-1) === categories.length && starts.every((start, i) => i === 0 || start >= starts[i - 1]!);
  const areKnown = categories.every((category) => category >= 0 && category < names.categories.length);
  if (starts.length === numItems + 1 && isAscending && areKnown && values.length === numItems * valuesOf(names)) return;
  throw new HeddleError("WEIGHTS_MISMATCH", `[${label}] the features of items in the weights do not fit ${numItems} items and ${FEATURES_FILE}: the files come from different models, or are damaged; save the model again`);
}
