import { TextClassifier, type EvaluationReport } from "@heddle/tasks";
import { readLabelledRows } from "../data/rows.ts";
import { count, countOf, duration, percent } from "../screen/format.ts";
import { renderReport, reportJson } from "../screen/report.ts";
import { loadingOptions } from "../screen/loading-progress.ts";
import type { Session } from "../session/session.ts";

export interface EvalOptions {
  readonly model: string;
  readonly data: string;
  readonly text: string;
  readonly label: string;
  readonly int8?: boolean;
}

/** `heddle eval`: how many rows of a file the model gets right. */
export async function evaluate(options: EvalOptions, session: Session): Promise<void> {
  const { signal } = session;
  const rows = await readLabelledRows(session, options.data, { name: options.text, option: "--text" }, { name: options.label, option: "--label" });
  using classifier = await TextClassifier.fromPretrained(options.model, { ...loadingOptions(session), int8: options.int8 });
  session.status.clear();
  session.log(session.terminal.err.colors.dim(`• evaluating ${options.model} on ${countOf(rows.length, "row")}, ${classifier.deviceDescription} …`));
  const startMs = performance.now();
  const report = await classifier.evaluate(rows, { signal });
  const seconds = (performance.now() - startMs) / 1000;
  for (const { message } of report.warnings) session.warn(message);
  session.result({ ...reportJson(report), seconds, model: options.model, device: classifier.deviceDescription }, () => renderEvaluation(report, seconds, session));
}

function renderEvaluation(report: EvaluationReport, seconds: number, { terminal: { out } }: Session): string {
  const { bold, dim } = out.colors;
  return `
${bold(`accuracy ${percent(report.accuracy)}`)} · F1 macro ${percent(report.f1Macro)} · on ${countOf(report.numRows, "row")}
${dim(`${duration(seconds)}, ${count(report.numRows / seconds)} texts/s`)}

${renderReport(report, out)}`;
}
