import { addProductForm } from "./add-product.ts";
import { Browse } from "./browse.ts";
import { fill, giveReason, looksOf, tile } from "./cards.ts";
import type { Language } from "./catalogue/product.ts";
import { Client } from "./client.ts";
import { create, element } from "./elements.ts";
import { chooseLanguage, language, price, say, text, translateDocument } from "./language.ts";
import { workOffline } from "./offline.ts";
import type { DeviceName } from "./protocol.ts";
import { Shop } from "./shop.ts";

/** Products in a row. */
const ROW = 6;
/** Among so many of the best a new product has a place in the row. */
const CANDIDATES = 3 * ROW;
/** Rows of products like what was looked at last. */
const SIMILAR_ROWS = 2;

const client = new Client();
const shop = new Shop();
const browse = new Browse(shop);
const popular = element<HTMLInputElement>("popular");
let device: string | null = null;
/** Each change of the visit has its own answers; those to an older one are dropped. */
let turn = 0;

async function guarded(work: () => Promise<void>): Promise<void> {
  element("error").hidden = true;
  try {
    await work();
  } catch (error) {
    element("error").textContent = (error as Error).message;
    element("error").hidden = false;
  }
}

/**
 * Follows the visit: the first row at once, then why each product is in it, then rows like what was looked at last.
 *
 * @param clickedAt when the visitor clicked, where the time until the row is there is to be shown
 */
async function follow(clickedAt?: number): Promise<void> {
  const own = ++turn;
  const { history } = shop;
  // Asked first: the worker thinks while the page draws.
  const answer = device === null ? undefined : client.ask({ type: "recommend", history, popular: popular.checked, topK: CANDIDATES });
  showLooked();
  if (!answer) return;
  const { itemIds, personal } = await answer;
  if (own !== turn) return;
  const list = element("first-row");
  const items = fill(list, shop.withNew(itemIds, ROW).map((id) => shop.get(id)), { reasons: true });
  list.scrollLeft = 0;
  list.ariaBusy = "false";
  element("for-you-title").textContent = text(popular.checked ? "popular" : "forYou");
  const latest = history.slice(-3).reverse().map((id) => say(shop.get(id).name));
  element("for-you-status").textContent = popular.checked ? text("popularOnly") : personal ? text("personal", { items: latest.join(language() === "zh" ? "、" : ", ") }) : text("nothingYet");
  if (clickedAt !== undefined) showTime(clickedAt);
  await explain(items, personal, own);
  await showSimilar(own);
}

function showTime(clickedAt: number): void {
  const { duration } = performance.measure("click to first row", { start: clickedAt, end: performance.now() });
  element("took").textContent = text("tookMs", { ms: Math.round(duration) });
}

async function explain(items: readonly HTMLLIElement[], personal: boolean, own: number): Promise<void> {
  for (const item of items) item.querySelector(".because")!.textContent = "";
  if (!personal) return;
  for (const item of items) {
    const because = await client.ask({ type: "explain", history: shop.history, itemId: item.dataset["item"]! });
    if (own !== turn) return;
    if (because) giveReason(item, shop.get(because));
  }
}

/** Of the newest product of each kind that was looked at. */
async function showSimilar(own: number): Promise<void> {
  const newest = new Map(shop.history.map((id) => [shop.get(id).kind, id]));
  const sources = shop.history.filter((id) => newest.get(shop.get(id).kind) === id).slice(-SIMILAR_ROWS).reverse();
  const rows = [];
  for (const id of sources) {
    const itemIds = await client.ask({ type: "similar", itemId: id, topK: ROW });
    if (own !== turn) return;
    const row = create("ol", { className: "row" });
    fill(row, itemIds.map((itemId) => shop.get(itemId)));
    const title = create("h2", { id: `similar-${id}`, textContent: text("similarTo", { item: say(shop.get(id).name) }) });
    const section = create("section", {}, title, row);
    section.setAttribute("aria-labelledby", title.id);
    rows.push(section);
  }
  element("similar").replaceChildren(...rows);
}

/** The product looked at last, and the list of all. */
function showLooked(): void {
  const newestFirst = shop.history.toReversed().map((id) => shop.get(id));
  const [last] = newestFirst;
  element("stage").hidden = !last;
  if (last) {
    element("stage-picture").replaceChildren(tile(last, looksOf(last)));
    element("stage-looks").textContent = looksOf(last);
    element("stage-name").textContent = say(last.name);
    element("stage-description").textContent = say(last.description);
    element("stage-price").textContent = price(last.price);
  }
  element("looked").replaceChildren(
    ...newestFirst.map((product) => {
      const remove = create("button", { type: "button", className: "remove", textContent: "×", ariaLabel: text("remove", { item: say(product.name) }) });
      remove.dataset["forget"] = product.id;
      const again = create("button", { type: "button", className: "again" }, tile(product), create("span", { className: "name", textContent: say(product.name) }));
      again.dataset["item"] = product.id;
      return create("li", {}, again, remove);
    }),
  );
  element("looked-nothing").hidden = newestFirst.length > 0;
  element("anew").hidden = newestFirst.length === 0;
}

function look(id: string, clickedAt: number): void {
  shop.look(id);
  void guarded(() => follow(clickedAt));
  // As on a product's own page: its name has the focus, and the top is in sight.
  element("stage-name").focus({ preventScroll: true });
  if (element("stage").getBoundingClientRect().top < 0) window.scrollTo({ top: 0, behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth" });
}

function showNew(): void {
  element("new").hidden = shop.newProducts.length === 0;
  fill(element("new-row"), shop.newProducts.slice(0, ROW));
}

const form = addProductForm((product) => {
  void guarded(async () => {
    const added = shop.add(product);
    showNew();
    browse.show();
    await client.ask({ type: "add", product: added });
    await follow();
  });
});

function translate(): void {
  translateDocument();
  for (const button of document.querySelectorAll<HTMLElement>("[data-language]")) button.setAttribute("aria-pressed", String(button.dataset["language"] === language()));
  form.translate();
  // Cards hold words: they are made anew.
  for (const id of ["first-row", "new-row"]) element(id).replaceChildren();
  browse.showAnew();
  showNew();
  element("took").textContent = "";
  if (device) element("device").textContent = text("runsOn", { device });
  void guarded(() => follow());
}

document.addEventListener("click", ({ target, timeStamp }) => {
  const { item, forget, language: chosen } = (target as Element).closest<HTMLElement>("button[data-item], [data-forget], [data-language]")?.dataset ?? {};
  if (item) look(item, timeStamp);
  if (forget) {
    shop.forget(forget);
    void guarded(() => follow(timeStamp));
    element("looked-title").focus();
  }
  if (chosen) {
    chooseLanguage(chosen as Language);
    translate();
  }
});
element("anew").addEventListener("click", ({ timeStamp }) => {
  shop.startAnew();
  void guarded(() => follow(timeStamp));
  element("looked-title").focus();
});
popular.addEventListener("change", ({ timeStamp }) => void guarded(() => follow(timeStamp)));

translate();
void guarded(async () => {
  const wanted = new URLSearchParams(location.search).get("device") as DeviceName | null;
  const opened = await client.ask({ type: "open", device: wanted || "auto", modelUrl: new URL("model/", document.baseURI).href });
  device = opened.description;
  element("device").textContent = text("runsOn", { device });
  await follow();
  element("offline").hidden = !(await workOffline(opened.urls));
});
