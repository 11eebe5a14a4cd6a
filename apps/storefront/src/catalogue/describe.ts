import { COLOURS, PATTERNS, type Bilingual, type Kind, type Level, type Product } from "./product.ts";

type Looks = Pick<Product, "variant" | "level" | "colour" | "pattern">;

export const LEVELS: Readonly<Record<Level, Bilingual>> = {
  1: { en: "Everyday", zh: "日常" },
  2: { en: "Fine", zh: "精良" },
  3: { en: "For life", zh: "传家" },
};

const PROMISES: Readonly<Record<Level, Bilingual>> = {
  1: { en: "made for every day", zh: "为每一天而做" },
  2: { en: "finely made, with wooden parts", zh: "做工精良，配木质部件" },
  3: { en: "made for life, with brass fittings", zh: "配黄铜件，可以用一辈子" },
};

/** What an everyday, a fine and a lifelong one cost, of the kind's price; and its three designs. */
const LEVEL_FACTORS: Readonly<Record<Level, number>> = { 1: 1, 2: 1.7, 3: 2.9 };
const VARIANT_FACTORS = [1, 1.2, 0.9] as const;

/** Euros that end in 90 cents. */
export function priceOf(kind: Kind, { level, variant }: Looks): number {
  return Math.max(2, Math.round(kind.price * LEVEL_FACTORS[level] * VARIANT_FACTORS[variant])) - 0.1;
}

/** What the thing does, then how it looks and is made. */
export function describe(blurb: Bilingual, { level, colour, pattern }: Looks): Bilingual {
  const inPattern = pattern === "plain" ? "" : `, ${PATTERNS[pattern].en}`;
  const patternZh = pattern === "plain" ? "" : `${PATTERNS[pattern].zh}，`;
  return {
    en: `${blurb.en} In ${COLOURS[colour].en}${inPattern}; ${PROMISES[level].en}.`,
    zh: `${blurb.zh}${COLOURS[colour].zh}，${patternZh}${PROMISES[level].zh}。`,
  };
}
