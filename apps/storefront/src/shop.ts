import { PRODUCTS } from "./catalogue/catalogue.ts";
import type { Product } from "./catalogue/product.ts";

/** Newest events that are kept: the model's window. */
const MAX_LOOKED = 20;
const KEY = "looked-at";

/** What there is, and what the visitor looked at, which stays in this browser. */
export class Shop {
  private readonly byId = new Map(PRODUCTS.map((product) => [product.id, product]));
  private readonly added: Product[] = [];
  private lookedAt: readonly string[] = (localStorage.getItem(KEY) ?? "").split(" ").filter((id) => this.byId.has(id));

  get(id: string): Product {
    return this.byId.get(id)!;
  }

  /** New ones first. */
  get products(): readonly Product[] {
    return [...this.added, ...PRODUCTS];
  }

  get newProducts(): readonly Product[] {
    return this.added;
  }

  /** Ids, oldest first, each once. */
  get history(): readonly string[] {
    return this.lookedAt;
  }

  look(id: string): void {
    this.keep([...this.lookedAt.filter((other) => other !== id), id].slice(-MAX_LOOKED));
  }

  forget(id: string): void {
    this.keep(this.lookedAt.filter((other) => other !== id));
  }

  startAnew(): void {
    this.keep([]);
  }

  /**
   * The first `count` of a longer list, best first. Its last place goes to the best new product where none is among the first: what nobody has
   * looked at ranks a little behind all that was, and would never be seen.
   */
  withNew(itemIds: readonly string[], count: number): readonly string[] {
    const first = itemIds.slice(0, count);
    const isNew = (id: string) => this.added.some((product) => product.id === id);
    const best = itemIds.find(isNew);
    return best === undefined || first.includes(best) ? first : [...first.slice(0, -1), best];
  }

  add(product: Omit<Product, "id">): Product {
    const complete = { ...product, id: `new-${this.added.length + 1}` };
    this.added.unshift(complete);
    this.byId.set(complete.id, complete);
    return complete;
  }

  private keep(ids: readonly string[]): void {
    this.lookedAt = ids;
    localStorage.setItem(KEY, ids.join(" "));
  }
}
