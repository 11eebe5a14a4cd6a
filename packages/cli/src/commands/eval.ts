import { HeddleError, readModelType, RECOMMENDER_MODELS, TextClassifier, type EvaluationReport } from "@heddle/tasks";
import { readLabelledRows } from "../data/rows.ts";
import { count, countOf, duration, percent } from "../screen/format.ts";
import { renderReport, reportJson } from "../screen/report.ts";
import { loadingOptions } from "../screen/loading-progress.ts";
import type { Session } from "../session/session.ts";
import { evaluateRanking, type EvalRecommenderOptions } from "./eval-recommender.ts";

/** Which columns are read depends on what the model is. */
export type EvalOptions = EvalRecommenderOptions;

/** `heddle eval`: how many rows of a file a classifier gets right, how well a recommender ranks what came next. */
export async function evaluate(options: EvalOptions, session: Session): Promise<void> {
  const family = await readModelType(options.model, loadingOptions(session));
  if (RECOMMENDER_MODELS.some((model) => model === family)) await evaluateRanking(options, session);
  else await evaluateClassifier(options, session);
}

async function evaluateClassifier(options: EvalOptions, session: Session): Promise<void> {
  const { signal } = session;
  const { text, label } = options;
  if (text === undefined || label === undefined) throw new HeddleError("INVALID_ARGUMENT", `[eval] ${options.model} classifies texts: name their column with --text COLUMN and the one of their labels with --label COLUMN`);
  const rows = await readLabelledRows(session, options.data, { name: text, option: "--text" }, { name: label, option: "--label" });
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
