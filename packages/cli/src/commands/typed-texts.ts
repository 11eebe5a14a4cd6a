import { createInterface } from "node:readline/promises";
import type { Session } from "../session/session.ts";

/** A demo that nobody answers must end by itself. */
const PATIENCE_MS = 60_000;

/** What the user types, a text at a time; ends at an empty line, at Ctrl-D and after a minute without an answer. */
export async function* typedTexts({ terminal: { stdin, err }, signal }: Session): AsyncGenerator<string, void, undefined> {
  const reader = createInterface({ input: stdin, output: err.stream, terminal: true });
  // readline takes Ctrl-C in a raw terminal; it means the same here.
  reader.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
  const closed = new Promise<string>((resolve) => reader.once("close", () => resolve("")));
  try {
    for (;;) {
      const patience = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
      const question = reader.question("Type a review (an empty line ends): ", { signal: patience }).catch(() => "");
      const text = await Promise.race([question, closed]);
      signal.throwIfAborted();
      if (text.trim() === "") return;
      yield text;
    }
  } finally {
    reader.close();
  }
}
