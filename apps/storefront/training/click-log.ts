import type { InteractionEvent } from "@heddle/tasks";
import { DEPARTMENTS, KINDS } from "../src/catalogue/kinds.ts";
import { COLOURS, type Colour, type Department, type Level, type Product } from "../src/catalogue/product.ts";
import { Dice } from "./dice.ts";

export interface ClickLogOptions {
  readonly seed: number;
  readonly numVisitors: number;
}

/** What somebody likes. */
interface Taste {
  readonly level: Level;
  readonly colours: ReadonlySet<Colour>;
  /** By department: how likely a visit begins there. */
  readonly departments: readonly number[];
}

/** How much more somebody looks at products of the own price level than at those one or two levels away. */
const LEVEL_PULL = [1, 0.45, 0.15] as const;
/** And at those of a favourite colour. */
const COLOUR_PULL = 1.6;
/** After each product: looks at one more of the same kind … */
const COMPARES = 0.74;
/** … then goes on to what is needed next, or back to the start of another department, or leaves. */
const GOES_ON = 0.85;
const ANOTHER_DEPARTMENT = 0.35;
/** Clicks that mean nothing. */
const STRAY = 0.04;
const MAX_CLICKS = 40;

/**
 * Clicks of people who do not exist. Each has a price level, two favourite colours and one or two favourite departments. A visit
 * begins at a department's first kind, mostly, compares a few products of that kind, by level, colour and how appealing each product
 * is to everybody, and goes on to the kind that is needed next: from tents to sleeping bags, mats, stoves and lanterns. Nobody looks
 * at a product twice. The same seed gives the same log.
 */
export function generateClickLog(products: readonly Product[], { seed, numVisitors }: ClickLogOptions): InteractionEvent[] {
  const dice = new Dice(seed);
  const byKind = new Map([...KINDS.keys()].map((id) => [id, products.filter(({ kind }) => kind === id)]));
  const appeal = new Map(products.map(({ id }) => [id, Math.exp(0.6 * dice.normal())]));
  return Array.from({ length: numVisitors }, (_, visitor) => {
    const clicks = visit(dice, tasteOf(dice), { products, byKind, appeal });
    return clicks.map((itemId) => ({ userId: `visitor-${visitor + 1}`, itemId }));
  }).flat();
}

interface Shop {
  readonly products: readonly Product[];
  readonly byKind: ReadonlyMap<string, readonly Product[]>;
  readonly appeal: ReadonlyMap<string, number>;
}

function tasteOf(dice: Dice): Taste {
  const colours = Object.keys(COLOURS) as Colour[];
  const favourites = [dice.below(DEPARTMENTS.length), dice.below(DEPARTMENTS.length)];
  return {
    level: (1 + dice.weighted([4, 3, 2])) as Level,
    colours: new Set([colours[dice.below(colours.length)]!, colours[dice.below(colours.length)]!]),
    departments: DEPARTMENTS.map((_, i) => (favourites.includes(i) ? 8 : 0.4)),
  };
}

/** Ids of products, each once. */
function visit(dice: Dice, taste: Taste, { products, byKind, appeal }: Shop): readonly string[] {
  const seen = new Set<string>();
  const look = (choice: readonly Product[], weight: (product: Product) => number): boolean => {
    const left = choice.filter(({ id }) => !seen.has(id));
    if (left.length === 0) return false;
    seen.add(left[dice.weighted(left.map(weight))]!.id);
    return true;
  };
  const liking = ({ id, level, colour }: Product): number => appeal.get(id)! * LEVEL_PULL[Math.abs(level - taste.level)]! * (taste.colours.has(colour) ? COLOUR_PULL : 1);
  do {
    const department: Department = DEPARTMENTS[dice.weighted(taste.departments)]!;
    let place = dice.chance(0.6) ? 0 : dice.below(department.kinds.length);
    do {
      do {
        if (dice.chance(STRAY)) look(products, ({ id }) => appeal.get(id)!);
        if (!look(byKind.get(department.kinds[place]!.id)!, liking)) break;
      } while (seen.size < MAX_CLICKS && dice.chance(COMPARES));
      place++;
    } while (place < department.kinds.length && seen.size < MAX_CLICKS && dice.chance(GOES_ON));
  } while (seen.size < MAX_CLICKS && dice.chance(ANOTHER_DEPARTMENT));
  return [...seen];
}
