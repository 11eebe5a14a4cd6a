import { fuzz, type FuzzReaderName } from "@heddle/transformer/testing";

// One reader's cases, in a process of its own whose heap is bounded: says to the command where it is.

/** What the command hears. */
export type FuzzMessage =
  | { readonly type: "case"; readonly index: number }
  | { readonly type: "done"; readonly outcomes: Readonly<Record<string, number>>; readonly slowestMs: number; readonly mostBytes: number }
  | { readonly type: "failed"; readonly message: string };

/** Between two notes of where it is; 0 for every case. */
const [name, seed, first, count, everyMs] = process.argv.slice(2) as [FuzzReaderName, string, string, string, string];
const say = (message: FuzzMessage) => new Promise<void>((resolve) => process.send!(message, () => resolve()));
let said = 0;

try {
  const { outcomes, ...most } = await fuzz(name, {
    seed: Number(seed),
    first: Number(first),
    count: Number(count),
    async onCase(index) {
      if (performance.now() - said < Number(everyMs)) return;
      said = performance.now();
      await say({ type: "case", index });
    },
  });
  await say({ type: "done", outcomes: Object.fromEntries(outcomes), ...most });
} catch (error) {
  await say({ type: "failed", message: (error as Error).message });
}
process.disconnect();
