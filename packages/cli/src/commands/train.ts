import { TextClassifier, type FitSummary, type TrainingOverrides } from "@heddle/tasks";
import { readLabelledRows } from "../data/rows.ts";
import { count, duration, percent, shellQuote } from "../screen/format.ts";
import { renderReport, reportJson } from "../screen/report.ts";
import { TrainingProgress } from "../screen/training-progress.ts";
import { isAbort } from "../session/failure.ts";
import type { Session } from "../session/session.ts";
import { OutputFolder } from "./output-folder.ts";
import { announceStop, beginOrGoOn, interrupted } from "./resumable.ts";

export interface TrainOptions {
  readonly data: string;
  readonly text: string;
  readonly label: string;
  readonly eval?: string;
  readonly evalText?: string;
  readonly evalLabel?: string;
  readonly model?: string;
  readonly output: string;
  readonly epochs?: number;
  readonly maxSteps?: number;
  readonly learningRate?: number;
  readonly batchSize?: number;
  readonly maxLength?: number;
  readonly tokenizer?: "wordpiece" | "byte-level-bpe";
  readonly resume?: boolean;
  readonly overwrite?: boolean;
}

/** `heddle train`: rows in, a model folder out. */
export async function train(options: TrainOptions, session: Session): Promise<void> {
  const { resume = false, overwrite = false } = options;
  const folder = await OutputFolder.open(options.output);
  try {
    await folder.requireRoom({ resume, overwrite });
    const { rows, evalRows } = await readRows(options, session);
    await beginOrGoOn(folder, { resume, overwrite }, session);
    const summary = await trainInto(folder, rows, evalRows, options, session);
    session.result(resultJson(summary, options.output), () => renderResult(summary, options, session));
  } finally {
    session.status.clear();
    await folder.close();
  }
}

type Rows = Awaited<ReturnType<typeof readLabelledRows>>;

async function readRows(options: TrainOptions, session: Session): Promise<{ rows: Rows; evalRows: Rows | undefined }> {
  const rows = await readLabelledRows(session, options.data, { name: options.text, option: "--text" }, { name: options.label, option: "--label" });
  if (options.eval === undefined) return { rows, evalRows: undefined };
  const text = { name: options.evalText ?? options.text, option: "--eval-text" };
  const label = { name: options.evalLabel ?? options.label, option: "--eval-label" };
  return { rows, evalRows: await readLabelledRows(session, options.eval, text, label) };
}

async function trainInto(folder: OutputFolder, rows: Rows, evalRows: Rows | undefined, options: TrainOptions, session: Session): Promise<FitSummary> {
  const { signal } = session;
  const progress = new TrainingProgress(session);
  try {
    using classifier = await announceStop(session, () =>
      TextClassifier.fit(rows, {
        evalRows,
        model: options.model,
        ...session.revision,
        tokenizer: options.tokenizer,
        maxLength: options.maxLength,
        device: session.options.device,
        seed: session.options.seed,
        outputDir: folder.checkpoints,
        resume: options.resume,
        trainingArguments: overridesFrom(options),
        signal,
        onEvent: (event) => progress.handle(event),
      }),
    );
    await classifier.savePretrained(options.output, { lock: folder.lock, signal });
    await folder.removeCheckpoints();
    return classifier.summary!;
  } catch (error) {
    if (isAbort(error, signal)) throw await interrupted(folder, session, error);
    throw error;
  }
}

/** Only what the user gave: an absent key leaves the choice to the recipe. */
function overridesFrom({ epochs, maxSteps, learningRate, batchSize }: TrainOptions): TrainingOverrides {
  return {
    ...(epochs !== undefined && { numTrainEpochs: epochs }),
    ...(maxSteps !== undefined && { maxSteps }),
    ...(learningRate !== undefined && { learningRate }),
    ...(batchSize !== undefined && { perDeviceTrainBatchSize: batchSize }),
  };
}

function resultJson({ evaluation, plan, bestEpoch, steps, seconds, tokensPerSecond }: FitSummary, output: string): object {
  const { majorityAccuracy, numParameters, device } = plan;
  return { ...reportJson(evaluation), majorityAccuracy, bestEpoch, steps, seconds, tokensPerSecond, numParameters, device, output };
}

function renderResult(summary: FitSummary, options: TrainOptions, session: Session): string {
  const { evaluation, plan, bestEpoch, steps, seconds, tokensPerSecond } = summary;
  const { out } = session.terminal;
  const { bold, dim } = out.colors;
  const { command } = session;
  const columnsOf = (text: string, label: string): string => `--text ${shellQuote(text)} --label ${shellQuote(label)}`;
  return `
${bold(`accuracy ${percent(evaluation.accuracy)}`)} · F1 macro ${percent(evaluation.f1Macro)} · majority class ${percent(plan.majorityAccuracy)} · on ${count(evaluation.numRows)} rows
${dim(`${count(steps)} steps in ${duration(seconds)}, ${count(tokensPerSecond)} tokens/s; the weights are those of epoch ${Math.round(100 * bestEpoch) / 100}, the best`)}

${renderReport(evaluation, out)}
The model is in ${bold(options.output)}. Next:
  ${command} predict --model ${shellQuote(options.output)} "a text of yours"
  ${command} eval --model ${shellQuote(options.output)} --data FILE ${columnsOf(options.text, options.label)}
`;
}
