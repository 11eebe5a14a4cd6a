import { SequentialRecommender, type Recommendation } from "@heddle/tasks";
import { columns } from "../screen/table.ts";
import { loadingOptions } from "../screen/loading-progress.ts";
import type { Session } from "../session/session.ts";

export interface RecommendOptions {
  readonly model: string;
  readonly history: readonly string[];
  readonly topK: number;
  readonly includeSeen?: boolean;
}

/** `heddle recommend`: what a visitor who touched these items takes next. */
export async function recommend({ model, history, topK, includeSeen = false }: RecommendOptions, session: Session): Promise<void> {
  using recommender = await SequentialRecommender.fromPretrained(model, loadingOptions(session));
  const items = await recommender.recommend({ history, topK, excludeSeen: !includeSeen });
  if (items[0]?.fallback !== undefined) session.warn("the history is empty: these are the items touched most");
  if (items.length === 0) session.warn("no item is left: all of them are in the history (--include-seen lists them too)");
  session.result({ items, model }, () => render(items, session));
}

/** On a terminal in columns, otherwise with tabs. */
function render(items: readonly Recommendation[], { terminal: { out } }: Session): string {
  const rows = items.map(({ itemId, score, fallback }) => [itemId, fallback === undefined ? score.toFixed(4) : String(score)]);
  return out.isTTY ? columns(rows) : rows.map((row) => `${row.join("\t")}\n`).join("");
}
