import { HeddleError } from "@heddle/kernels";
import { z } from "zod";
import { size } from "./schema.ts";

/** How a number of items is brought to a common scale: (x, or its logarithm, less the mean) / deviation. */
export interface ItemNumberScale {
  readonly name: string;
  /** Of numbers above 0 whose spread is one of ratios, as that of prices. */
  readonly isLogarithm: boolean;
  readonly mean: number;
  readonly deviation: number;
}

/** The features by which a model knows items, in the order of its parameters. */
export interface ItemFeatureNames {
  readonly categories: readonly string[];
  readonly numbers: readonly ItemNumberScale[];
  /** Elements of an item's embedding by an encoder, and what they are multiplied with; absent where items have none. */
  readonly embedding?: { readonly size: number; readonly scale: number };
}

const namesSchema = z.object({
  categories: z.array(z.string()).refine((names) => new Set(names).size === names.length, "has a name twice"),
  numbers: z.array(z.object({ name: z.string(), logarithm: z.boolean(), mean: z.number(), deviation: z.number().positive() })),
  embedding: z.object({ size, scale: z.number().positive() }).optional(),
});

/** @param file for the error, such as `[folder] item_features.json`. Throws CONFIG_INVALID. */
export function parseItemFeatureNames(json: unknown, file: string): ItemFeatureNames {
  const result = namesSchema.safeParse(json);
  if (!result.success) {
    const problems = result.error.issues.map((issue) => `${issue.path.join(".") || "(whole file)"}: ${issue.message}`);
    throw new HeddleError("CONFIG_INVALID", `${file}: ${problems.join("; ")}: save the model again`, { cause: result.error });
  }
  const { categories, numbers, embedding } = result.data;
  return { categories, numbers: numbers.map(({ logarithm, ...number }) => ({ ...number, isLogarithm: logarithm })), ...(embedding && { embedding }) };
}

export function itemFeatureNamesToJson({ categories, numbers, embedding }: ItemFeatureNames): object {
  return { categories, numbers: numbers.map(({ name, isLogarithm, mean, deviation }) => ({ name, logarithm: isLogarithm, mean, deviation })), ...(embedding && { embedding }) };
}
