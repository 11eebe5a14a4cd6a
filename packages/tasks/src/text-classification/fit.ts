import { HeddleError } from "@heddle/kernels";
import { Trainer, type EncodedDataset, type EncodedRow } from "@heddle/training";
import { mostFrequentLabel } from "../baselines/majority.ts";
import { HeldDevice } from "../inference/device.ts";
import { throwIfAborted } from "../inference/encode.ts";
import { TextRunner } from "../inference/text-runner.ts";
import { evaluateRows } from "./answers.ts";
import { labelsOf, requireTwoLabels } from "./labels.ts";
import { prepare, sizeOfData, type Prepared } from "./prepare.ts";
import { evaluationsPerEpoch, fineTuneRecipe, scratchRecipe } from "./recipe.ts";
import { holdOut } from "./split.ts";
import type { FitEvent, FitOptions, FitPlanEvent, FitSummary, LabelledText } from "./types.ts";
import { neverTrainedWarning, rareLabelWarning, truncationWarning } from "./warnings.ts";

const DEFAULT_SEED = 42;

/** @param finish makes the classifier; it owns the runner and must call `release` when it is disposed of */
export async function fitTextClassifier<Classifier>(rows: readonly LabelledText[], options: FitOptions, finish: (runner: TextRunner, release: () => void, summary: FitSummary) => Classifier): Promise<Classifier> {
  const { seed = DEFAULT_SEED, signal, onEvent: emit = () => {} } = options;
  const labels = requireTwoLabels("TextClassifier.fit", rows);
  const { trainRows, evalRows } = options.evalRows ? { trainRows: rows, evalRows: options.evalRows } : holdOut(rows, seed);
  checkLabels(labels, rows, evalRows, emit);
  throwIfAborted(signal, "TextClassifier.fit");
  const held = new HeldDevice(options.device, (message) => emit({ type: "phase", phase: "device", message }));
  const release = () => held.release();
  let prepared: Prepared | undefined;
  let runner: TextRunner | undefined;
  try {
    const knownEvalRows = evalRows.filter(({ label }) => labels.includes(String(label)));
    const all = [...trainRows, ...knownEvalRows];
    prepared = await prepare(held, all.map(({ text }) => text), labels, { ...options, numTrainTexts: trainRows.length, seed, emit });
    const { model, tokenizer, maxLength, encoded, truncated } = prepared;
    if (truncated.length > 0) emit(truncationWarning(truncated, all.length, maxLength));
    const ids = new Map(labels.map((label, id) => [label, id]));
    const dataset: EncodedDataset = encoded.map((row, i): EncodedRow => ({ ...row, label: ids.get(String(all[i]!.label))! }));
    const run = await train(prepared, dataset.slice(0, trainRows.length), dataset.slice(trainRows.length), { options, seed, labels, evalRows, trainRows, emit });
    runner = new TextRunner(model, tokenizer, maxLength);
    emit({ type: "phase", phase: "evaluating", message: `evaluating on ${evalRows.length.toLocaleString("en")} rows` });
    const evaluation = await evaluateRows(runner, evalRows, { signal });
    return finish(runner, release, { ...run, evaluation });
  } catch (error) {
    runner?.dispose();
    prepared?.model.dispose();
    release();
    throw error;
  }
}

function checkLabels(labels: readonly string[], rows: readonly LabelledText[], evalRows: readonly LabelledText[], emit: (event: FitEvent) => void): void {
  if (evalRows.length === 0) throw new HeddleError("DATA_EMPTY", `[TextClassifier.fit] there are no rows to evaluate on: ${rows.length} rows are too few to hold some out; add rows (at least two of each label) or pass evalRows`);
  const unknown = labelsOf(evalRows).filter((label) => !labels.includes(label));
  if (evalRows.every(({ label }) => unknown.includes(String(label)))) {
    throw new HeddleError("DATA_INVALID", `[TextClassifier.fit] no evaluation row has a label that occurs in training: training has ${labels.slice(0, 10).join(", ")}, evaluation has ${unknown.slice(0, 10).join(", ")}; check that both name the same column`);
  }
  if (unknown.length > 0) emit(neverTrainedWarning(unknown, evalRows, labels));
  const counts = new Map<string, number>();
  for (const { label } of rows) counts.set(String(label), (counts.get(String(label)) ?? 0) + 1);
  const rare = labels.filter((label) => counts.get(label) === 1);
  if (rare.length > 0) emit(rareLabelWarning(rare));
}

interface RunContext {
  options: FitOptions;
  seed: number;
  labels: readonly string[];
  trainRows: readonly LabelledText[];
  evalRows: readonly LabelledText[];
  emit: (event: FitEvent) => void;
}

/** Trains the model in place; it ends with the weights of the best epoch. */
async function train({ model, tokenizer, maxLength }: Prepared, trainDataset: EncodedDataset, evalDataset: EncodedDataset, { options, seed, labels, trainRows, evalRows, emit }: RunContext): Promise<Omit<FitSummary, "evaluation">> {
  const { outputDir, signal, resume = false, trainingArguments } = options;
  const size = sizeOfData(trainDataset);
  const fineTuned = options.model !== undefined;
  const scratch = fineTuned ? null : scratchRecipe(size);
  const chosen = { ...(scratch?.arguments ?? fineTuneRecipe(size)), ...trainingArguments };
  const evalSteps = Math.ceil(size.numRows / chosen.perDeviceTrainBatchSize / evaluationsPerEpoch(size.numRows));
  const maskId = tokenizer.specialTokenId("mask");
  using trainer = new Trainer({
    model,
    trainDataset,
    evalDataset,
    args: {
      evalStrategy: "steps",
      evalSteps,
      ...(outputDir !== undefined && { outputDir, saveStrategy: "steps", saveSteps: evalSteps, saveTotalLimit: 1 }),
      seed,
      ...chosen,
    },
    ...(scratch && scratch.maskTokenProbability > 0 && maskId !== undefined && {
      tokenDropout: { maskTokenProbability: scratch.maskTokenProbability, replacementId: maskId, specialTokenIds: Object.values(tokenizer.specialTokens).map((token) => tokenizer.tokenToId(token)!) },
    }),
    files: { "tokenizer.json": tokenizer.tokenizerJson, "tokenizer_config.json": tokenizer.tokenizerConfig },
  });
  const { args } = trainer;
  const majority = mostFrequentLabel(trainRows);
  let plan: FitPlanEvent | undefined;
  // A moving average over step events.
  let tokensPerSecond = 0;
  emit({ type: "phase", phase: "compiling", message: "making the training step ready" });
  for await (const event of trainer.train({ signal, resumeFromCheckpoint: resume ? "auto" : false })) {
    if (event.type === "start") {
      plan = {
        type: "plan",
        device: model.device.description,
        labels,
        numTrainRows: trainDataset.length,
        numEvalRows: evalRows.length,
        majorityAccuracy: evalRows.filter(({ label }) => String(label) === majority).length / evalRows.length,
        numParameters: model.numParameters,
        vocabSize: tokenizer.vocabSize,
        maxLength,
        numTrainEpochs: event.totalSteps / event.stepsPerEpoch,
        totalSteps: event.totalSteps,
        resumedStep: event.resumedStep,
        batchSize: args.perDeviceTrainBatchSize,
        learningRate: args.learningRate,
        peakBytes: event.memory.peakBytes,
        fineTuned,
      };
      emit(plan);
    } else if (event.type === "step") {
      const { step, epoch, loss, learningRate } = event;
      tokensPerSecond = tokensPerSecond === 0 ? event.tokensPerSecond : 0.9 * tokensPerSecond + 0.1 * event.tokensPerSecond;
      emit({ type: "step", step, totalSteps: plan!.totalSteps, epoch, loss, learningRate, tokensPerSecond: event.tokensPerSecond });
    } else if (event.type === "evaluate") {
      const { loss, accuracy, f1Macro } = event.metrics;
      emit({ type: "evaluation", step: event.step, epoch: event.epoch, loss: loss!, accuracy: accuracy!, f1Macro: f1Macro!, best: event.isBest });
    } else if (event.type === "save") {
      emit({ type: "checkpoint", step: event.step, folder: event.path });
    } else if (event.type === "aborted") {
      const where = event.checkpoint === null ? "nothing was saved, as no outputDir was given" : `go on with { resume: true } from ${event.checkpoint}`;
      throw new HeddleError("ABORTED", `[TextClassifier.fit] stopped after step ${event.step} of ${plan?.totalSteps}: ${where}`, { cause: signal?.reason });
    } else {
      return { plan: plan!, bestEpoch: event.bestStep === null ? args.numTrainEpochs : (event.bestStep * plan!.numTrainEpochs) / plan!.totalSteps, steps: event.step, seconds: event.seconds, tokensPerSecond };
    }
  }
  throw new HeddleError("ABORTED", "[TextClassifier.fit] the run ended early");
}
