import { addAbortSignal } from "node:stream";
import { FeatureExtractor, HeddleError } from "@heddle/tasks";
import { linesAsTheyCome } from "../data/lines.ts";
import { writeAll } from "../screen/write-all.ts";
import { loadingOptions } from "../screen/loading-progress.ts";
import type { Session } from "../session/session.ts";

export interface EmbedOptions {
  readonly model: string;
}

/** `heddle embed`: one vector a text, in their order, as a JSON line. */
export async function embed(given: readonly string[], { model }: EmbedOptions, session: Session): Promise<void> {
  const { signal, terminal } = session;
  using extractor = await FeatureExtractor.fromPretrained(model, loadingOptions(session));
  session.status.clear();
  if (extractor.pooling === "none") throw new HeddleError("INVALID_ARGUMENT", `[embed] ${model} does not say how the vectors of tokens become one of a text: it is no sentence encoder; those have a file modules.json beside the model`);
  let done = 0;
  for await (const texts of given.length > 0 ? [given] : linesAsTheyCome(addAbortSignal(signal, terminal.stdin))) {
    const vectors = await extractor.extract(texts, { signal });
    await writeAll(terminal.out.stream, texts.map((text, i) => `${JSON.stringify({ text, embedding: Array.from(vectors[i]!) })}\n`).join(""));
    done += texts.length;
  }
  if (done === 0) throw new HeddleError("DATA_EMPTY", "[embed] got no texts: pass them as arguments, or as lines on standard input");
}
