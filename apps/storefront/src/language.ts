import type { Bilingual, Language } from "./catalogue/product.ts";
import { TEXTS, type TextId } from "./texts.ts";

const KEY = "language";
const stored = localStorage.getItem(KEY);
let current: Language = stored === "en" || stored === "zh" ? stored : navigator.language.startsWith("zh") ? "zh" : "en";

export const language = (): Language => current;

export function chooseLanguage(chosen: Language): void {
  current = chosen;
  localStorage.setItem(KEY, chosen);
}

export const say = (words: Bilingual): string => words[current];

/** One of the page's texts, with what is filled in. */
export function text(id: TextId, filled: Readonly<Record<string, string | number>> = {}): string {
  return TEXTS[id][current].replace(/\{(\w+)\}/g, (_, name: string) => String(filled[name] ?? ""));
}

export const price = (euros: number): string => new Intl.NumberFormat(current, { style: "currency", currency: "EUR" }).format(euros);

/** Everything of the document that has `data-text`. */
export function translateDocument(): void {
  document.documentElement.lang = current === "zh" ? "zh-CN" : "en";
  document.title = text("title");
  for (const node of document.querySelectorAll<HTMLElement>("[data-text]")) node.textContent = text(node.dataset["text"] as TextId);
  for (const node of document.querySelectorAll<HTMLElement>("[data-label]")) node.setAttribute("aria-label", text(node.dataset["label"] as TextId));
}
