import { generateProducts } from "./generate.ts";
import { HAND_WRITTEN } from "./hand-written.ts";
import type { Product } from "./product.ts";

/** All products, each kind's hand-written ones first. */
export const PRODUCTS: readonly Product[] = [...HAND_WRITTEN, ...generateProducts()].sort((a, b) => (a.kind === b.kind ? 0 : a.kind < b.kind ? -1 : 1));
