import { KINDS, departmentOf } from "./catalogue/kinds.ts";
import { COLOURS, PATTERNS, type Product } from "./catalogue/product.ts";
import { create } from "./elements.ts";
import { price, say, text } from "./language.ts";
import { picture } from "./pictures/picture.ts";

/** A product's picture on its department's ground. */
export function tile(product: Product, alt = ""): HTMLElement {
  const ground = create("span", { className: "tile" }, create("img", { src: picture(product), alt, width: 120, height: 120, decoding: "async" }));
  ground.dataset["department"] = departmentOf.get(product.kind)!.id;
  return ground;
}

/** What the picture shows, in words. */
export function looksOf({ kind, colour, pattern }: Product): string {
  return [KINDS.get(kind)!.name, COLOURS[colour], ...(pattern === "plain" ? [] : [PATTERNS[pattern]])].map(say).join(" · ");
}

/** A product to look at, with room for a reason where `reasons` are given. */
export function card(product: Product, { reasons = false } = {}): HTMLLIElement {
  const button = create("button", { type: "button", className: "card" }, tile(product), create("span", { className: "name", textContent: say(product.name) }), create("span", { className: "price", textContent: price(product.price) }));
  button.dataset["item"] = product.id;
  const item = create("li", {}, button, ...(reasons ? [create("p", { className: "because" })] : []));
  item.dataset["item"] = product.id;
  item.dataset["kind"] = product.kind;
  return item;
}

/** Shows why a card is there. */
export function giveReason(item: HTMLLIElement, because: Product): void {
  const reason = item.querySelector(".because")!;
  reason.textContent = text("because", { item: say(because.name) });
}

/** Fills a list; cards that stay keep their elements, so that their pictures do not blink. */
export function fill(list: HTMLElement, products: readonly Product[], options: { reasons?: boolean } = {}): HTMLLIElement[] {
  const old = new Map([...list.children].map((child) => [(child as HTMLElement).dataset["item"], child as HTMLLIElement]));
  const items = products.map((product) => old.get(product.id) ?? card(product, options));
  list.replaceChildren(...items);
  return items;
}
