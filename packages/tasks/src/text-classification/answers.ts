import { HeddleError } from "@heddle/kernels";
import type { TextRunner } from "../inference/text-runner.ts";
import { evaluationReport } from "./report.ts";
import { bestLabels, checkTopK, defaultFunctionToApply } from "./scores.ts";
import type { Classification, ClassifyOptions, EvaluateOptions, EvaluationReport, LabelledText, WarningEvent } from "./types.ts";
import { truncationWarning } from "./warnings.ts";

/** The best labels of each text, best first. */
export async function classifyTexts(runner: TextRunner, texts: readonly string[], { topK = 1, functionToApply, batchSize, signal, onWarning }: ClassifyOptions): Promise<Classification[][]> {
  const { config } = runner.model;
  const k = checkTopK(topK, config.numLabels);
  const apply = functionToApply ?? defaultFunctionToApply(config);
  const { results } = await runner.run(texts, `classify/${apply}/${k}`, bestLabels(k, apply), {
    batchSize,
    signal,
    onTruncated: (places) => onWarning?.(truncationWarning(places, texts.length, runner.maxLength)),
  });
  return results.map(({ ids, scores }) => Array.from(ids!, (id, i) => ({ label: config.id2label[id]!, score: scores![i]! })));
}

/** How many rows get their own label as the best answer. */
export async function evaluateRows(runner: TextRunner, rows: readonly LabelledText[], options: EvaluateOptions): Promise<EvaluationReport> {
  if (rows.length === 0) throw new HeddleError("DATA_EMPTY", "[evaluate] got no rows: pass labelled rows");
  const warnings: WarningEvent[] = [];
  const answers = await classifyTexts(runner, rows.map(({ text }) => text), { ...options, onWarning: (warning) => warnings.push(warning) });
  const report = evaluationReport(runner.model.config.id2label, rows, answers.map(([best]) => best!.label));
  return { ...report, warnings: [...report.warnings, ...warnings] };
}
