import type { Product } from "../catalogue/product.ts";
import { house } from "./house.ts";
import { inkOf, patternOf, type Drawing } from "./ink.ts";
import { kitchen } from "./kitchen.ts";
import { outdoors } from "./outdoors.ts";

const DRAWINGS: Readonly<Record<string, Drawing>> = { ...outdoors, ...kitchen, ...house };

type Looks = Pick<Product, "kind" | "variant" | "colour" | "pattern" | "level">;

/** A product as an address of an SVG picture: the kind and its design by shape, colour and pattern as they are, the level by the trim. */
export function picture({ kind, variant, colour, pattern, level }: Looks): string {
  const ink = inkOf(colour, level);
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 120"><defs>${patternOf(pattern, ink)}</defs><ellipse cx="60" cy="106" rx="46" ry="5" fill="#000" opacity=".14"/>${DRAWINGS[kind]!(ink, variant)}</svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}
