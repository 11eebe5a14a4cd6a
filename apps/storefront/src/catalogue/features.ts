import type { ItemFeatures } from "@heddle/tasks";
import { departmentOf } from "./kinds.ts";
import type { Product } from "./product.ts";

/** What is known of a product before anybody looked at it. */
export function featuresOf({ kind, level, colour, price }: Pick<Product, "kind" | "level" | "colour" | "price">): ItemFeatures {
  return { categories: [`kind:${kind}`, `department:${departmentOf.get(kind)!.id}`, `level:${level}`, `colour:${colour}`], numbers: { price } };
}
