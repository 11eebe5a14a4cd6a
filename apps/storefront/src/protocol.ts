import type { Device, DeviceName } from "@heddle/tasks";
import type { Product } from "./catalogue/product.ts";

/** What the page asks of the worker, the model first. `id` comes back with the answer. */
export type Request =
  | { readonly id: number; readonly type: "open"; readonly device: DeviceName; readonly modelUrl: string }
  | { readonly id: number; readonly type: "recommend"; readonly history: readonly string[]; readonly popular: boolean; readonly topK: number }
  | { readonly id: number; readonly type: "similar"; readonly itemId: string; readonly topK: number }
  | { readonly id: number; readonly type: "add"; readonly product: Product }
  | { readonly id: number; readonly type: "explain"; readonly history: readonly string[]; readonly itemId: string };

/** What each request answers. */
export interface Answers {
  /** `urls`: what the worker fetched to get there. */
  open: Pick<Device, "kind" | "description"> & { readonly urls: readonly string[] };
  recommend: { readonly itemIds: readonly string[]; readonly personal: boolean };
  similar: readonly string[];
  add: null;
  /** The looked-at product that raised the item's score most; null where none did. */
  explain: string | null;
}

export type Response =
  | { readonly id: number; readonly type: "answer"; readonly answer: Answers[keyof Answers] }
  | { readonly id: number; readonly type: "error"; readonly message: string };

export type { DeviceName };
