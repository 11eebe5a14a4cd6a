import { COLOURS, type Colour, type Level, type Pattern } from "../catalogue/product.ts";

/** What a drawing is coloured with: `fill` is the product's own colour and pattern, `trim` tells its level. */
export interface Ink {
  readonly fill: string;
  readonly base: string;
  readonly dark: string;
  readonly light: string;
  readonly trim: string;
}

/** Shapes of a product, in 120 × 120, standing on y = 104. */
export type Drawing = (ink: Ink, variant: 0 | 1 | 2) => string;

/** Grey for everyday, wood for fine, brass for life. */
const TRIMS: Readonly<Record<Level, string>> = { 1: "#9aa1ab", 2: "#b07d4b", 3: "#e0b13c" };

export function inkOf(colour: Colour, level: Level): Ink {
  const base = COLOURS[colour].hex;
  return { fill: "url(#pattern)", base, dark: mix(base, "#101623", 0.32), light: mix(base, "#ffffff", 0.45), trim: TRIMS[level] };
}

/** The pattern's definition. */
export function patternOf(pattern: Pattern, { base, light }: Ink): string {
  const marks: Readonly<Record<Pattern, string>> = {
    plain: "",
    stripes: `<path d="M0 0h4v12H0z" fill="${light}"/>`,
    dots: `<g fill="${light}"><circle cx="3" cy="3" r="1.9"/><circle cx="9" cy="9" r="1.9"/></g>`,
    checks: `<path d="M0 0h6v6H0zM6 6h6v6H6z" fill="${light}" opacity=".75"/>`,
  };
  return `<pattern id="pattern" width="12" height="12" patternUnits="userSpaceOnUse"><path d="M0 0h12v12H0z" fill="${base}"/>${marks[pattern]}</pattern>`;
}

/** `share` of the second colour, both as #rrggbb. */
function mix(first: string, second: string, share: number): string {
  const channels = (hex: string) => [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
  const others = channels(second);
  return `#${channels(first).map((value, i) => Math.round(value + (others[i]! - value) * share).toString(16).padStart(2, "0")).join("")}`;
}
