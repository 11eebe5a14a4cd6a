import { fill } from "./cards.ts";
import { DEPARTMENTS, departmentOf } from "./catalogue/kinds.ts";
import type { Bilingual } from "./catalogue/product.ts";
import { create, element } from "./elements.ts";
import { say, text } from "./language.ts";
import type { Shop } from "./shop.ts";

const PAGE = 24;

/** All products, by department and kind. */
export class Browse {
  private department: string | null = null;
  private kind: string | null = null;
  private shown = PAGE;

  constructor(private readonly shop: Shop) {
    element("more").addEventListener("click", () => {
      this.shown += 2 * PAGE;
      this.show();
    });
  }

  show(): void {
    const department = DEPARTMENTS.find(({ id }) => id === this.department);
    this.chips("departments", DEPARTMENTS, this.department, (id) => {
      this.department = id;
      this.kind = null;
    });
    this.chips("kinds", department?.kinds ?? [], this.kind, (id) => (this.kind = id));
    element("kinds").hidden = !department;
    const found = this.shop.products.filter(({ kind }) => (this.kind ? kind === this.kind : !department || departmentOf.get(kind) === department));
    const visible = found.slice(0, this.shown);
    fill(element("grid"), visible);
    element("shown").textContent = text("shown", { shown: visible.length, all: found.length });
    element("more").hidden = visible.length === found.length;
  }

  /** After a change of language: cards are made anew. */
  showAnew(): void {
    element("grid").replaceChildren();
    this.show();
  }

  private chips(id: string, choices: readonly { readonly id: string; readonly name: Bilingual }[], chosen: string | null, choose: (id: string | null) => void): void {
    const all = { id: null, name: text("everything") };
    const group = element(id);
    const focused = group.contains(document.activeElement) ? [...group.children].indexOf(document.activeElement!) : -1;
    group.replaceChildren(
      ...[all, ...choices.map((choice) => ({ id: choice.id, name: say(choice.name) }))].map((choice) => {
        const chip = create("button", { type: "button", className: "chip", textContent: choice.name });
        chip.setAttribute("aria-pressed", String(choice.id === chosen));
        chip.dataset["choice"] = choice.id ?? "";
        chip.addEventListener("click", () => {
          choose(choice.id);
          this.shown = PAGE;
          this.show();
        });
        return chip;
      }),
    );
    // The chip that was pressed is a new element now.
    if (focused >= 0) (group.children[focused] as HTMLElement | undefined)?.focus();
  }
}
