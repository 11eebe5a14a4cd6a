import { describe, LEVELS, priceOf } from "./catalogue/describe.ts";
import { KINDS } from "./catalogue/kinds.ts";
import { COLOURS, PATTERNS, type Bilingual, type Colour, type Level, type Pattern, type Product } from "./catalogue/product.ts";
import { tile } from "./cards.ts";
import { element } from "./elements.ts";
import { price, say } from "./language.ts";

/** The form for a new product. `onAdd` hears of it without an id. */
export function addProductForm(onAdd: (product: Omit<Product, "id">) => void): { translate(): void } {
  const dialog = element<HTMLDialogElement>("add");
  const form = element<HTMLFormElement>("add-form");
  const field = (name: string) => form.elements.namedItem(name) as HTMLSelectElement;

  const options = (name: string, choices: Iterable<readonly [string, Bilingual]>): void => {
    const select = field(name);
    const chosen = select.value;
    select.replaceChildren(...[...choices].map(([value, words]) => new Option(say(words), value)));
    if (chosen !== "") select.value = chosen;
  };
  const designs = (): void => options("variant", KINDS.get(field("kind").value)!.variants.map(({ name }, i) => [String(i), name] as const));

  const described = (): Omit<Product, "id"> => {
    const kind = KINDS.get(field("kind").value)!;
    const looks = { variant: Number(field("variant").value) as 0 | 1 | 2, colour: field("colour").value as Colour, pattern: field("pattern").value as Pattern, level: Number(field("level").value) as Level };
    const name = field("name").value.trim();
    return { kind: kind.id, ...looks, price: priceOf(kind, looks), name: { en: name, zh: name }, description: describe(kind.variants[looks.variant].blurb, looks) };
  };
  const preview = (): void => {
    const product = described();
    element("preview").replaceChildren(tile({ ...product, id: "preview" }), price(product.price));
  };

  const translate = (): void => {
    options("kind", [...KINDS].map(([id, { name }]) => [id, name] as const));
    designs();
    options("colour", Object.entries(COLOURS));
    options("pattern", Object.entries(PATTERNS));
    options("level", Object.entries(LEVELS));
    preview();
  };

  field("kind").addEventListener("change", designs);
  form.addEventListener("input", preview);
  form.addEventListener("change", preview);
  form.addEventListener("submit", () => {
    onAdd(described());
    field("name").value = "";
  });
  element("add-open").addEventListener("click", () => dialog.showModal());
  element("add-cancel").addEventListener("click", () => dialog.close());
  return { translate };
}
