import type { State } from "@heddle/kernels";
import type { Model } from "@heddle/transformer";

/** The parameter with a row for each item. */
export const ITEM_TABLE = "item_embeddings.weight";

export const tableOf = ({ parameters }: Pick<Model, "parameters">): State => parameters.get(ITEM_TABLE)!;
