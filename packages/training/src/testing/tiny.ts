import type { Device } from "@heddle/kernels";
import { architectureFor, createConfig, createModel, type Head, type Model, type ProblemType } from "@heddle/transformer";
import type { EncodedRow } from "../data/dataset.ts";

export interface TinyOptions {
  head?: Head;
  labels?: readonly string[];
  problemType?: ProblemType;
  dropout?: number;
  seed?: number;
}

/** A BERT small enough for the reference interpreter, with random weights. */
export function tinyModel(device: Device, { head = "sequence-classification", labels = ["no", "yes"], problemType, dropout = 0.1, seed = 1 }: TinyOptions = {}): Model {
  const config = createConfig({
    modelType: "bert", vocabSize: 13, hiddenSize: 8, numHiddenLayers: 1, numAttentionHeads: 2, intermediateSize: 12, maxPositionEmbeddings: 16,
    hiddenDropoutProb: dropout, attentionProbsDropoutProb: dropout, initializerRange: 0.3, labels, problemType,
  });
  return createModel(device, architectureFor("bert", head), config, seed);
}

/** Rows that a tiny model can learn: token 7 among them or not. */
export function tinyRows(count: number, label: (hasSeven: boolean, ids: readonly number[]) => EncodedRow["label"] = Number): EncodedRow[] {
  return Array.from({ length: count }, (_, row) => {
    const length = 3 + ((row * 5) % 7);
    const ids = Array.from({ length }, (_, i) => [5, 6, 8, 9, 10, 11][(row * 3 + i * i) % 6]!);
    const hasSeven = row % 2 === 1;
    if (hasSeven) ids[1 + (row % (length - 1))] = 7;
    return { inputIds: Int32Array.from([1, ...ids.slice(1)]), label: label(hasSeven, ids) };
  });
}

/** All weights, for comparing runs bit for bit. */
export async function weightsOf(model: Model): Promise<Record<string, number[]>> {
  const names = [...model.parameters.keys()].sort();
  const values = await model.device.readStates(names.map((name) => model.parameters.get(name)!));
  return Object.fromEntries(names.map((name, i) => [name, [...values[i]!]]));
}
