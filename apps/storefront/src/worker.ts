import { HeddleError, openDevice, SequentialRecommender, type Device } from "@heddle/tasks";
import { featuresOf } from "./catalogue/features.ts";
import type { Answers, Request, Response } from "./protocol.ts";

const MODEL_FILES = ["config.json", "items.json", "item_features.json", "model.safetensors"];

// One device and one model for the life of the page.
let recommender: SequentialRecommender | undefined;

async function answer(request: Request): Promise<Answers[keyof Answers]> {
  switch (request.type) {
    case "open":
      return open(request);
    case "recommend": {
      const { history, popular, topK } = request;
      // Without a history there is nothing but what is popular.
      const found = popular ? await loaded().recommend({ history: [], topK, filter: (itemId) => !history.includes(itemId) }) : await loaded().recommend({ history, topK });
      return { itemIds: found.map(({ itemId }) => itemId), personal: !popular && history.length > 0 };
    }
    case "similar":
      return (await loaded().similarItems(request.itemId, { topK: request.topK })).map(({ itemId }) => itemId);
    case "add":
      await loaded().addItems([{ itemId: request.product.id, features: featuresOf(request.product) }]);
      // The model's table is longer now, and its programs are new.
      await warmUp(loaded());
      return null;
    case "explain": {
      const [first] = (await loaded().explain({ history: request.history, itemId: request.itemId })).contributions;
      return first && first.effect > 0 ? first.itemId : null;
    }
  }
}

function loaded(): SequentialRecommender {
  if (!recommender) throw new HeddleError("INVALID_ARGUMENT", "[storefront] no model yet: open one first");
  return recommender;
}

async function open({ device: choice, modelUrl }: Extract<Request, { type: "open" }>): Promise<Answers["open"]> {
  const device: Device = await openDevice({ device: choice });
  const files = await Promise.all(MODEL_FILES.map(async (name) => [name, await fetched(new URL(name, modelUrl))] as const));
  recommender = await SequentialRecommender.fromPretrained(new Map(files), { device });
  await warmUp(recommender);
  const urls = performance.getEntriesByType("resource").map(({ name }) => name);
  return { kind: device.kind, description: device.description, urls: [...urls, self.location.href] };
}

async function fetched(url: URL): Promise<Blob> {
  const response = await fetch(url);
  if (!response.ok) throw new HeddleError("MODEL_FOLDER_NOT_FOUND", `[storefront] ${url.href} answers ${response.status}: make the model with \`npm run train\``);
  return response.blob();
}

/** The first run of each program makes it ready, which a visitor should not wait for after a click. */
async function warmUp(model: SequentialRecommender): Promise<void> {
  const itemIds = model.itemIds.slice(0, model.maxLength);
  await model.similarItems(itemIds[0]!);
  // One program up to each of these lengths.
  for (const length of [1, model.maxLength / 2, model.maxLength]) {
    const history = itemIds.slice(0, length);
    await model.recommend({ history });
    await model.explain({ history, itemId: itemIds[0]! });
  }
}

async function respond(request: Request): Promise<void> {
  const send = (response: Response) => self.postMessage(response);
  try {
    send({ id: request.id, type: "answer", answer: await answer(request) });
  } catch (error) {
    send({ id: request.id, type: "error", message: error instanceof Error ? error.message : String(error) });
  }
}

// One after the other: who looks at a product just added waits until the model knows it.
let last: Promise<void> = Promise.resolve();
self.addEventListener("message", ({ data }: MessageEvent<Request>) => (last = last.then(() => respond(data))));
