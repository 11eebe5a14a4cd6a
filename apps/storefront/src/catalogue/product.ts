export type Language = "en" | "zh";
export type Bilingual = Readonly<Record<Language, string>>;

/** What a thing costs for what it is: 1 everyday, 2 fine, 3 for life. */
export type Level = 1 | 2 | 3;

export const PATTERNS = {
  plain: { en: "plain", zh: "素色" },
  stripes: { en: "striped", zh: "条纹" },
  dots: { en: "dotted", zh: "圆点" },
  checks: { en: "checked", zh: "格纹" },
} as const satisfies Record<string, Bilingual>;
export type Pattern = keyof typeof PATTERNS;

export const COLOURS = {
  moss: { en: "moss green", zh: "苔绿色", hex: "#6b8f4e" },
  rust: { en: "rust", zh: "铁锈红", hex: "#b5552f" },
  sky: { en: "sky blue", zh: "天蓝色", hex: "#5b9bd5" },
  ochre: { en: "ochre", zh: "赭黄色", hex: "#d19a2a" },
  plum: { en: "plum", zh: "梅紫色", hex: "#86518c" },
  coral: { en: "coral", zh: "珊瑚色", hex: "#ea7a67" },
  teal: { en: "teal", zh: "青绿色", hex: "#2c8c8b" },
  ink: { en: "ink blue", zh: "墨蓝色", hex: "#3c4f7d" },
  rose: { en: "rose", zh: "玫瑰粉", hex: "#d886a4" },
  slate: { en: "slate", zh: "石板灰", hex: "#7c8796" },
} as const satisfies Record<string, Bilingual & { readonly hex: string }>;
export type Colour = keyof typeof COLOURS;

/** One of a kind's three designs, e.g. a dome tent. */
export interface Variant {
  readonly name: Bilingual;
  readonly blurb: Bilingual;
}

export interface Kind {
  readonly id: string;
  readonly name: Bilingual;
  /** Of an everyday one, in euros. */
  readonly price: number;
  readonly variants: readonly [Variant, Variant, Variant];
}

/** Kinds in the order in which somebody who begins needs them: tent, sleeping bag, mat, stove, lantern. */
export interface Department {
  readonly id: string;
  readonly name: Bilingual;
  readonly kinds: readonly Kind[];
}

export interface Product {
  readonly id: string;
  readonly name: Bilingual;
  readonly description: Bilingual;
  /** A kind's id. */
  readonly kind: string;
  /** Which of the kind's designs. */
  readonly variant: 0 | 1 | 2;
  readonly colour: Colour;
  readonly pattern: Pattern;
  readonly level: Level;
  /** In euros. */
  readonly price: number;
}

export const kind = (id: string, en: string, zh: string, price: number, ...variants: [Variant, Variant, Variant]): Kind => ({ id, name: { en, zh }, price, variants });
export const variant = (en: string, zh: string, blurbEn: string, blurbZh: string): Variant => ({ name: { en, zh }, blurb: { en: blurbEn, zh: blurbZh } });
