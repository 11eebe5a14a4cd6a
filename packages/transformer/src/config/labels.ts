import { HeddleError } from "@heddle/kernels";
import { z } from "zod";
import { optional } from "./schema.ts";

export type ProblemType = "regression" | "single_label_classification" | "multi_label_classification";

export interface Labels {
  readonly numLabels: number;
  /** Index = class id. */
  readonly id2label: readonly string[];
  readonly label2id: ReadonlyMap<string, number>;
  readonly problemType: ProblemType | undefined;
}

export const labelKeys = {
  id2label: optional(z.record(z.string(), z.string())),
  // Names are made for as many.
  num_labels: optional(z.int().positive().max(1_000_000)),
  problem_type: optional(z.enum(["regression", "single_label_classification", "multi_label_classification"])),
};

/** transformers' default where config.json says nothing of labels. */
const DEFAULT_NUM_LABELS = 2;

/**
 * The labels of a config.json. `label2id` is derived from `id2label`, as many published files have the two out of
 * step and transformers' outputs follow `id2label`.
 */
export function parseLabels(json: { id2label?: Record<string, string>; num_labels?: number; problem_type?: ProblemType }): Labels {
  const names = json.id2label ? labelNames(json.id2label) : defaultLabelNames(json.num_labels ?? DEFAULT_NUM_LABELS);
  if (json.num_labels !== undefined && json.num_labels !== names.length) {
    throw new HeddleError("CONFIG_INVALID", `[config.json] num_labels is ${json.num_labels}, id2label has ${names.length} names: make them agree, or remove num_labels`);
  }
  return labelsOf(names, json.problem_type);
}

export function labelsOf(names: readonly string[], problemType?: ProblemType): Labels {
  const label2id = new Map(names.map((name, id) => [name, id]));
  if (label2id.size !== names.length) {
    const twice = names.find((name, id) => label2id.get(name) !== id);
    throw new HeddleError("CONFIG_INVALID", `[config.json] id2label has ${JSON.stringify(twice)} twice: give every class a name of its own`);
  }
  return { numLabels: names.length, id2label: names, label2id, problemType };
}

/** LABEL_0, LABEL_1, … as transformers names them. */
export function defaultLabelNames(count: number): string[] {
  return Array.from({ length: count }, (_, id) => `LABEL_${id}`);
}

function labelNames(id2label: Record<string, string>): string[] {
  const count = Object.keys(id2label).length;
  return Array.from({ length: count }, (_, id) => {
    const name = id2label[id];
    if (name === undefined) {
      throw new HeddleError("CONFIG_INVALID", `[config.json] id2label has ${count} names with the ids ${Object.keys(id2label).slice(0, 10).join(", ")}, ${id} is absent: number the labels 0 to ${count - 1} without a gap`);
    }
    return name;
  });
}
