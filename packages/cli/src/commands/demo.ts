import { fitMajority, fitTfidfLogisticRegression, openDevice, type Device, type EvaluationReport, type TextClassifier, type TfidfLogisticRegression } from "@heddle/tasks";
import { readLabelledRows } from "../data/rows.ts";
import { count, countOf, duration, oneLine, percent, shellQuote } from "../screen/format.ts";
import { reportJson } from "../screen/report.ts";
import { columns } from "../screen/table.ts";
import { Interrupted, isAbort } from "../session/failure.ts";
import type { Session } from "../session/session.ts";
import { fitInTime } from "./demo-training.ts";
import { findReviews, holdOutFifth, SAMPLE_TEXTS } from "./demo-data.ts";
import { typedTexts } from "./typed-texts.ts";

export interface DemoOptions {
  readonly model?: string;
  readonly output: string;
}

const SHOWN_CHARACTERS = 48;

interface Scores {
  readonly majority: EvaluationReport;
  readonly baseline: EvaluationReport;
  readonly transformer: EvaluationReport;
}

/** `heddle demo`: the whole way, from reviews in a file to answers, next to what simpler means reach. */
export async function demo(given: readonly string[], options: DemoOptions, session: Session): Promise<void> {
  const { signal, terminal } = session;
  const { bold } = terminal.err.colors;
  const startMs = performance.now();
  const path = findReviews();
  const rows = await readLabelledRows(session, path, { name: "text", option: "--text" }, { name: "label", option: "--label" });
  const { trainRows, testRows } = holdOutFifth(rows);
  session.log(`${bold("Heddle")}: ${countOf(rows.length, "review")} of products and services, English and Chinese, positive or negative.\n${count(testRows.length)} are set aside to test on; a Transformer learns from the other ${count(trainRows.length)}.\n`);
  let device: Device | undefined;
  try {
    device = await openDevice({ device: session.options.device, log: (line) => session.log(terminal.err.colors.dim(line)) });
    using classifier = await fitInTime(device, trainRows, options.model, session);
    const scores = { majority: fitMajority(trainRows).evaluate(testRows), transformer: await classifier.evaluate(testRows, { signal }) };
    session.log(terminal.err.colors.dim("• fitting TF-IDF + logistic regression on the same reviews, to compare …"));
    const baseline = fitTfidfLogisticRegression(trainRows);
    const compared = { ...scores, baseline: baseline.evaluate(testRows) };
    await classifier.savePretrained(options.output, { signal });
    const seconds = (performance.now() - startMs) / 1000;
    session.status.clear();
    if (!session.options.json) terminal.out.write(renderScores(compared, options, session));
    await answer(given, classifier, baseline, session);
    session.result(resultJson(compared, options, seconds), () => renderEnd(options, seconds, session));
  } catch (error) {
    if (isAbort(error, signal)) throw new Interrupted("stopped", { cause: error });
    throw error;
  } finally {
    device?.dispose();
    session.status.clear();
  }
}

/** The user's texts, or samples where there are none. */
async function answer(given: readonly string[], classifier: TextClassifier, baseline: TfidfLogisticRegression, session: Session): Promise<void> {
  await classify(given.length > 0 ? given : SAMPLE_TEXTS, classifier, baseline, session);
  if (given.length > 0 || !session.terminal.stdin.isTTY || session.options.json) return;
  for await (const text of typedTexts(session)) await classify([text], classifier, baseline, session);
}

async function classify(texts: readonly string[], classifier: TextClassifier, baseline: TfidfLogisticRegression, session: Session): Promise<void> {
  const { out } = session.terminal;
  const answers = await classifier.classify(texts, { signal: session.signal, onWarning: ({ message }) => session.warn(message) });
  const baselineLabels = baseline.predict(texts);
  if (session.options.json) {
    texts.forEach((text, i) => session.event({ type: "prediction", text, ...answers[i]![0]!, baselineLabel: baselineLabels[i] }));
    return;
  }
  const paint = (label: string): string => (label === "positive" ? out.colors.green(label) : out.colors.red(label));
  const header = ["text", "Transformer", "", "TF-IDF"].map((name) => out.colors.dim(name));
  const body = texts.map((text, i) => [oneLine(text, SHOWN_CHARACTERS), paint(answers[i]![0]!.label), percent(answers[i]![0]!.score), paint(baselineLabels[i]!)]);
  out.write(`${columns([header, ...body], ["left", "left", "right", "left"])}\n`);
}

function renderScores({ majority, baseline, transformer }: Scores, { model }: DemoOptions, { terminal: { out } }: Session): string {
  const { bold, dim } = out.colors;
  const name = model === undefined ? "Transformer, from scratch" : "Transformer, fine-tuned";
  const row = (title: string, { accuracy, f1Macro }: EvaluationReport): string[] => [title, percent(accuracy), percent(f1Macro)];
  const table = columns([
    [`on ${count(transformer.numRows)} reviews that no model has seen`, "accuracy", "F1 macro"].map((title) => dim(title)),
    row("most frequent label, always", majority),
    row("TF-IDF + logistic regression", baseline),
    row(name, transformer).map((cell) => bold(cell)),
  ]);
  return `\n${table}\n${verdict({ majority, baseline, transformer }, model !== undefined)}\n\n`;
}

/** What the numbers mean, chance included: said the same way whoever wins. */
function verdict({ majority, baseline, transformer }: Scores, fineTuned: boolean): string {
  const { numRows, accuracy } = transformer;
  const difference = 100 * (accuracy - baseline.accuracy);
  const chance = 100 * halfInterval(accuracy, numRows);
  const size = `${Math.abs(difference).toFixed(1)} points`;
  const outcome = Math.abs(difference) < 0.05 ? "Both are equally good" : difference > 0 ? `The Transformer is ${size} better` : `TF-IDF wins by ${size}`;
  const sentences = [`${outcome}; on ${count(numRows)} reviews chance alone moves a score by about ±${chance.toFixed(0)} points.`];
  if (100 * (accuracy - majority.accuracy) < chance) sentences.push("The Transformer has hardly learned anything yet: it needs more steps than this run had.");
  if (!fineTuned) {
    sentences.push(
      "From scratch it knows no language but these reviews, and counting words is hard to beat with so few.",
      "A pretrained encoder changes that: --model FOLDER fine-tunes one, such as a BERT or RoBERTa folder.",
    );
  }
  return sentences.join("\n");
}

/** Half the width of an accuracy's 95 % interval, by the normal approximation. */
function halfInterval(accuracy: number, numRows: number): number {
  return 1.96 * Math.sqrt((accuracy * (1 - accuracy)) / numRows);
}

function resultJson({ majority, baseline, transformer }: Scores, { output }: DemoOptions, seconds: number): object {
  return { ...reportJson(transformer), majorityAccuracy: majority.accuracy, tfidfAccuracy: baseline.accuracy, tfidfF1Macro: baseline.f1Macro, seconds, output };
}

function renderEnd({ output }: DemoOptions, seconds: number, { terminal: { out }, command }: Session): string {
  const folder = shellQuote(output);
  return `The model is in ${out.colors.bold(output)}, made in ${duration(seconds)}. Python's transformers loads it too. Next:
  ${command} predict --model ${folder} "a text of yours"
  ${command} train --data FILE --text COLUMN --label COLUMN --output FOLDER     your own rows
  ${command} train --model FOLDER …                                             fine-tune a pretrained encoder
`;
}
