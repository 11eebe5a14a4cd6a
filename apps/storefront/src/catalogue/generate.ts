import { describe, priceOf } from "./describe.ts";
import { KINDS } from "./kinds.ts";
import { COLOURS, PATTERNS, type Bilingual, type Colour, type Level, type Pattern, type Product } from "./product.ts";

/** Nine series, three to a level; each is made in every kind. */
const SERIES: readonly (Bilingual & { readonly id: string })[] = [
  { id: "alder", en: "Alder", zh: "桤木" },
  { id: "brook", en: "Brook", zh: "溪流" },
  { id: "clover", en: "Clover", zh: "苜蓿" },
  { id: "dune", en: "Dune", zh: "沙丘" },
  { id: "ember", en: "Ember", zh: "余烬" },
  { id: "fjord", en: "Fjord", zh: "峡湾" },
  { id: "grove", en: "Grove", zh: "林苑" },
  { id: "heron", en: "Heron", zh: "苍鹭" },
  { id: "iris", en: "Iris", zh: "鸢尾" },
];

/**
 * The rule of the catalogue: kind k in series s (both counted from 0) is of level ⌊s / 3⌋ + 1, so that every level has each of the kind's
 * three designs, s mod 3; its colour is number (3s + k) mod 10, different for each product of a kind; its pattern number
 * (s + ⌊s / 3⌋ + k) mod 4. The name is the series and the design.
 */
export function generateProducts(): Product[] {
  const colours = Object.keys(COLOURS) as Colour[];
  const patterns = Object.keys(PATTERNS) as Pattern[];
  return SERIES.flatMap((series, s) =>
    [...KINDS.values()].map((kind, k): Product => {
      const level = (Math.floor(s / 3) + 1) as Level;
      const variant = (s % 3) as 0 | 1 | 2;
      const looks = { variant, level, colour: colours[(3 * s + k) % colours.length]!, pattern: patterns[(s + level - 1 + k) % patterns.length]! };
      const design = kind.variants[variant];
      return {
        id: `${kind.id}-${series.id}`,
        kind: kind.id,
        ...looks,
        price: priceOf(kind, looks),
        name: { en: `${series.en} ${design.name.en}`, zh: `${series.zh}${design.name.zh}` },
        description: describe(design.blurb, looks),
      };
    }),
  );
}
