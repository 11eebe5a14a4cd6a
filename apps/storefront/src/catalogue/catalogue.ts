import { generateProducts } from "./generate.ts";
import { HAND_WRITTEN } from "./hand-written.ts";
import type { Product } from "./product.ts";

export const PRODUCTS: readonly Product[] = [...HAND_WRITTEN, ...generateProducts()];
