import { hostProcess } from "../environment.ts";
import { cacheFile } from "./cache-file.ts";
import { indexedDbText } from "./indexed-db.ts";

/** A text that outlives the process. */
export interface StoredText {
  /** Null where there is none yet. */
  read(): Promise<string | null>;
  /** Replaces the text by what `change` makes of it. Readers see the old one or the new one, never a part. */
  update(change: (text: string | null) => string): Promise<void>;
}

/** More would be the entries of drivers long gone. */
const MAX_ENTRIES = 4096;

/**
 * Facts by key that were expensive to find out: a JSON file in Node, a record of IndexedDB in a browser. Where they can be
 * neither read nor kept, or what is there is not ours, they are found out again; nothing fails.
 */
export class Remembered<V> {
  private readonly values = new Map<string, V>();
  private loaded: Promise<void> | null = null;

  /**
   * @param parse undefined for what no such fact can be: anything may lie in a cache folder
   * @param stored null: remembered by this object alone
   */
  constructor(
    private readonly parse: (value: unknown) => V | undefined,
    private readonly stored: StoredText | null,
  ) {}

  /** The store of this name in the user's cache folder, or of the page's origin. */
  static named<V>(name: string, parse: (value: unknown) => V | undefined): Remembered<V> {
    return new Remembered(parse, storeOf(name));
  }

  /** What was there when this was first asked, and what was kept since. */
  async entries(): Promise<ReadonlyMap<string, V>> {
    await (this.loaded ??= this.load());
    return this.values;
  }

  /** Another process may keep its own at the same time: what it wrote stays, unless both write in the same instant. */
  async keep(facts: Iterable<readonly [string, V]>): Promise<void> {
    const fresh = [...facts];
    for (const [key, value] of fresh) this.values.set(key, value);
    try {
      await this.stored?.update((text) => {
        const merged = this.decode(text);
        for (const [key, value] of fresh) {
          // The newest last, as the oldest go first.
          merged.delete(key);
          merged.set(key, value);
        }
        return JSON.stringify(Object.fromEntries([...merged].slice(-MAX_ENTRIES)), null, 2);
      });
    } catch {}
  }

  private async load(): Promise<void> {
    try {
      const text = (await this.stored?.read()) ?? null;
      for (const [key, value] of this.decode(text)) if (!this.values.has(key)) this.values.set(key, value);
    } catch {}
  }

  private decode(text: string | null): Map<string, V> {
    const found = new Map<string, V>();
    let json: unknown;
    try {
      json = JSON.parse(text ?? "{}");
    } catch {
      return found;
    }
    if (typeof json !== "object" || json === null) return found;
    for (const [key, value] of Object.entries(json)) {
      const parsed = this.parse(value);
      if (parsed !== undefined) found.set(key, parsed);
    }
    return found;
  }
}

function storeOf(name: string): StoredText | null {
  if (hostProcess?.versions?.node !== undefined) return cacheFile(`${name}.json`);
  return "indexedDB" in globalThis ? indexedDbText(name) : null;
}
