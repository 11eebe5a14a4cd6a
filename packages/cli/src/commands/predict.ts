import { addAbortSignal } from "node:stream";
import { HeddleError, TextClassifier, type Classification } from "@heddle/tasks";
import { linesAsTheyCome } from "../data/lines.ts";
import { readTexts } from "../data/rows.ts";
import { countOf, oneLine, percent } from "../screen/format.ts";
import { writeAll } from "../screen/write-all.ts";
import { loadingOptions } from "../screen/loading-progress.ts";
import type { Session } from "../session/session.ts";

export interface PredictOptions {
  readonly model: string;
  readonly data?: string;
  readonly text?: string;
  readonly topK: number;
  readonly int8?: boolean;
}

/** A text to classify, and its line where it comes from a file. */
interface Item {
  readonly text: string;
  readonly line?: number;
}

/** Texts between two writes: enough for well-filled batches, few enough to show that something happens. */
const CHUNK_SIZE = 256;

/** `heddle predict`: one answer a text, in their order, written as soon as it is known. */
export async function predict(given: readonly string[], options: PredictOptions, session: Session): Promise<void> {
  const { signal, terminal, status } = session;
  const chunks = await itemChunks(given, options, session);
  using classifier = await TextClassifier.fromPretrained(options.model, { ...loadingOptions(session), int8: options.int8 });
  status.clear();
  let done = 0;
  for await (const items of chunks) {
    const answers = await classifier.classify(items.map(({ text }) => text), { topK: options.topK, signal, onWarning: ({ message }) => session.warn(message) });
    status.clear();
    const lines = items.map((item, i) => (session.options.json ? jsonLine(item, answers[i]!) : textLine(item, answers[i]!, classifier.labels, session)));
    await writeAll(terminal.out.stream, lines.join(""));
    done += items.length;
    if (!terminal.out.isTTY) status.update(`${countOf(done, "text")} done`);
  }
  status.clear();
  if (done === 0) throw new HeddleError("DATA_EMPTY", "[predict] got no texts: pass them as arguments, as lines on standard input, or with --data FILE --text COLUMN");
}

/** Where the texts come from; wrong combinations are found before a model is loaded. */
async function itemChunks(given: readonly string[], { data, text }: PredictOptions, session: Session): Promise<AsyncIterable<Item[]> | Iterable<Item[]>> {
  if (data !== undefined) {
    if (given.length > 0) throw new HeddleError("INVALID_ARGUMENT", "[predict] got texts and --data: give one of them");
    if (text === undefined) throw new HeddleError("INVALID_ARGUMENT", "[predict] --data needs --text COLUMN, the column with the texts");
    return chunked(await readTexts(session, data, { name: text, option: "--text" }));
  }
  if (text !== undefined) throw new HeddleError("INVALID_ARGUMENT", "[predict] --text names a column of --data FILE: give both, or texts without --text");
  if (given.length > 0) return chunked(given.map((own) => ({ text: own })));
  if (session.terminal.stdin.isTTY) session.log("reading texts from the terminal, one a line; Ctrl-D ends");
  return fromStdin(session);
}

async function* fromStdin({ terminal: { stdin }, signal }: Session): AsyncGenerator<Item[], void, undefined> {
  for await (const lines of linesAsTheyCome(addAbortSignal(signal, stdin))) yield* chunked(lines.map((text) => ({ text })));
}

function* chunked(items: readonly Item[]): Generator<Item[], void, undefined> {
  for (let begin = 0; begin < items.length; begin += CHUNK_SIZE) yield items.slice(begin, begin + CHUNK_SIZE);
}

function jsonLine({ text, line }: Item, answers: readonly Classification[]): string {
  return `${JSON.stringify({ text, line, ...answers[0]!, scores: answers })}\n`;
}

/** For people columns; for programs tab-separated: label and score (one pair per rank), then the text. */
function textLine({ text }: Item, answers: readonly Classification[], labels: readonly string[], { terminal: { out } }: Session): string {
  if (!out.isTTY) return `${[...answers.flatMap(({ label, score }) => [oneLine(label), score.toFixed(6)]), oneLine(text)].join("\t")}\n`;
  const width = Math.max(...labels.map((label) => label.length));
  const pairs = answers.map(({ label, score }, rank) => `${rank === 0 ? out.colors.bold(label.padEnd(width)) : label.padEnd(width)} ${percent(score).padStart(7)}`);
  return `${pairs.join("  ")}  ${oneLine(text)}\n`;
}
