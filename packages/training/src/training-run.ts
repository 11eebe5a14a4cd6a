import { HeddleError } from "@heddle/kernels";
import type { Model } from "@heddle/transformer";
import { evalInterval, type IntervalStrategy, type TrainingArguments } from "./arguments.ts";
import { BestWeights } from "./best-weights.ts";
import { checkpointPath, rotateCheckpoints } from "./checkpoint/folders.ts";
import { checkSameConfig, readTrainerState, restoreOptimizer, restoreParameters } from "./checkpoint/load.ts";
import { nodeFiles } from "./checkpoint/node.ts";
import { decisiveArguments, type DecisiveOptions } from "./checkpoint/run-arguments.ts";
import { saveCheckpoint } from "./checkpoint/save.ts";
import { checkSameRun, type LogEntry, type TrainerState } from "./checkpoint/trainer-state.ts";
import { batchTypes, countTokens, type DataCollator } from "./data/batches.ts";
import { datasetFingerprint, type EncodedDataset } from "./data/dataset.ts";
import { runExtent, stepsFrom, type PlannedStep, type RunExtent } from "./data/steps.ts";
import type { EndEvent, EvaluateEvent, SaveEvent, StartEvent, TrainingEvent } from "./events.ts";
import type { Metrics } from "./metrics/evaluation.ts";
import { learningRateAt } from "./schedule.ts";
import type { StepReport, TrainStep } from "./train-step.ts";

export interface RunParts {
  model: Model;
  args: TrainingArguments;
  dataset: EncodedDataset;
  collator: DataCollator;
  trainStep: TrainStep;
  evaluate: (signal: AbortSignal | undefined) => Promise<Metrics>;
  earlyStoppingPatience: number;
  decisive: DecisiveOptions;
  files: Readonly<Record<string, string | object>>;
  now: () => number;
}

/** Steps whose results may stay unread: how late a divergence is noticed. */
const MAX_UNREAD_STEPS = 32;
/** Work that may be queued on the device unread: enough to keep it busy, little enough to stop soon. */
const MAX_UNREAD_MS = 250;

/** One run of a Trainer: where it stands, and what happens at each step. */
export class TrainingRun {
  private readonly extent: RunExtent;
  private readonly best: BestWeights;
  private readonly fingerprint: string;
  private logHistory: LogEntry[] = [];
  private step = 0;
  private epochsDone = 0;
  private stepsSinceLog = 0;
  private unreadSteps = 0;
  /** Expected time of a step; before the first is measured, long enough to wait for it. */
  private stepMs = Infinity;
  private unreadSinceMs = 0;

  constructor(private readonly parts: RunParts) {
    this.extent = runExtent(parts.args, parts.dataset.length);
    this.best = new BestWeights(parts.args);
    this.fingerprint = datasetFingerprint(parts.dataset);
  }

  async *events(checkpoint: string | null, signal: AbortSignal | undefined): AsyncGenerator<TrainingEvent, void, undefined> {
    const { args, now, earlyStoppingPatience } = this.parts;
    const start = this.startEvent();
    const started = now();
    let evaluationDue = false;
    if (checkpoint === null) await this.parts.trainStep.states.startAverages();
    else evaluationDue = await this.resume(checkpoint);
    const resumedStep = this.step;
    yield { ...start, resumedStep };

    let lossTotal = 0;
    let tokens = 0;
    let lastLog = now();
    try {
      if (evaluationDue) yield* this.evaluateAndSave(this.plannedBefore(), signal);
      for (const planned of stepsFrom(this.step, this.extent, args, this.lengths)) {
        signal?.throwIfAborted();
        if (this.best.worseSince >= earlyStoppingPatience) break;
        const logs = (planned.index + 1) % args.loggingSteps === 0 || planned.index + 1 === this.extent.totalSteps;
        const { report, tokens: seen, learningRate } = await this.advance(planned, logs);
        tokens += seen;
        if (logs) {
          const { lossSum, gradNorm } = report!;
          const loss = lossSum / this.stepsSinceLog;
          lossTotal += lossSum;
          const seconds = Math.max(1e-9, (now() - lastLog) / 1000);
          this.stepsSinceLog = 0;
          this.log({ loss, learning_rate: learningRate, grad_norm: gradNorm });
          yield { type: "step", step: this.step, epoch: this.epochsDone, loss, learningRate, gradNorm, tokensPerSecond: tokens / seconds };
          [tokens, lastLog] = [0, now()];
        }
        const before = now();
        yield* this.evaluateAndSave(planned, signal);
        lastLog += now() - before; // evaluating and saving is not training
      }
    } catch (error) {
      if (!signal?.aborted || !isAbort(error, signal)) throw error;
      yield await this.abort(error);
      return;
    }
    yield { type: "end", step: this.step, trainLoss: lossTotal / Math.max(1, this.step - resumedStep), seconds: (now() - started) / 1000, ...(await this.finish()) };
  }

  /** Also finds rows and labels that do not fit, before the first step. */
  private startEvent(): Omit<StartEvent, "resumedStep"> {
    const { args, dataset, collator, trainStep } = this.parts;
    const collated = (rowNumbers: number[]) => this.collate(collator, rowNumbers, 0);
    let longest = 0;
    for (let row = 0; row < dataset.length; row++) {
      if (dataset[row]!.inputIds.length > dataset[longest]!.inputIds.length) longest = row;
    }
    for (let begin = 0; begin < dataset.length; begin += args.perDeviceTrainBatchSize) {
      collated(Array.from({ length: Math.min(args.perDeviceTrainBatchSize, dataset.length - begin) }, (_, i) => begin + i));
    }
    const { totalSteps, stepsPerEpoch } = this.extent;
    return { type: "start", totalSteps, stepsPerEpoch, memory: trainStep.plan(batchTypes(collated([longest]))) };
  }

  private collate(collator: DataCollator, rowNumbers: readonly number[], epoch: number) {
    const { args, dataset } = this.parts;
    return collator(rowNumbers.map((row) => dataset[row]!), { rowNumbers, batchSize: args.perDeviceTrainBatchSize, training: true, seed: args.seed, epoch });
  }

  /** One optimizer step. */
  private async advance(planned: PlannedStep, logs: boolean): Promise<{ report: StepReport | null; tokens: number; learningRate: number }> {
    const { args, collator, trainStep, now } = this.parts;
    const batches = planned.batches.map((rows) => this.collate(collator, rows, planned.epoch));
    const { totalSteps, warmupSteps } = this.extent;
    const learningRate = learningRateAt(planned.index, { type: args.lrSchedulerType, learningRate: args.learningRate, warmupSteps, totalSteps });
    if (this.unreadSteps === 0) this.unreadSinceMs = now();
    const unread = this.unreadSteps + 1;
    const read = logs || this.savesAfter(planned) || unread >= MAX_UNREAD_STEPS || unread * this.stepMs >= MAX_UNREAD_MS;
    const report = await trainStep.run(batches, { step: planned.index, learningRate, restartsSums: this.stepsSinceLog === 0, read });
    this.step = planned.index + 1;
    this.epochsDone = planned.epochsDone;
    this.stepsSinceLog++;
    this.unreadSteps = report ? 0 : unread;
    if (report) {
      this.stepMs = (now() - this.unreadSinceMs) / unread;
      this.checkFinite(report);
    }
    // Promises alone never let a timer or a Ctrl-C through.
    await new Promise<void>((resolve) => (typeof setImmediate === "function" ? setImmediate(resolve) : setTimeout(resolve)));
    return { report, tokens: batches.reduce((total, batch) => total + countTokens(batch), 0), learningRate };
  }

  private checkFinite({ lossSum, finiteSteps }: Omit<StepReport, "gradNorm">): void {
    if (finiteSteps === this.stepsSinceLog && Number.isFinite(lossSum)) return;
    const diverged = this.step - this.stepsSinceLog + Math.min(finiteSteps + 1, this.stepsSinceLog);
    const { learningRate, warmupSteps, maxGradNorm } = this.parts.args;
    throw new HeddleError(
      "TRAINING_DIVERGED",
      `[Trainer] the loss or its gradient is not finite at step ${diverged}; lower learningRate (now ${learningRate}), add warm-up (now ${warmupSteps} steps) or clip harder (maxGradNorm is now ${maxGradNorm}). The weights in memory are spoilt: load the model again, or resume from a checkpoint, which are untouched`,
    );
  }

  private async *evaluateAndSave(planned: PlannedStep, signal: AbortSignal | undefined): AsyncGenerator<EvaluateEvent | SaveEvent, void, undefined> {
    const evaluates = this.evaluatesAfter(planned);
    const saves = this.savesAfter(planned);
    if (!evaluates && !saves) return;
    const { trainStep, evaluate, args } = this.parts;
    await trainStep.swapAverages();
    const results: (EvaluateEvent | SaveEvent)[] = [];
    try {
      if (evaluates) {
        const metrics = await evaluate(signal);
        this.log(Object.fromEntries(Object.entries(metrics).map(([name, value]) => [`eval_${name}`, value])));
        const isBest = args.loadBestModelAtEnd && (await this.considerBest(metrics, saves));
        results.push({ type: "evaluate", step: this.step, epoch: this.epochsDone, metrics, isBest });
      }
      if (saves) results.push({ type: "save", step: this.step, path: await this.save(false) });
    } finally {
      await trainStep.swapAverages();
    }
    yield* results;
  }

  private async considerBest(metrics: Metrics, saves: boolean): Promise<boolean> {
    const { args, model } = this.parts;
    const name = args.metricForBestModel;
    const value = metrics[name] ?? metrics[plainName(name)];
    if (value === undefined) throw new HeddleError("INVALID_ARGUMENT", `[Trainer] metricForBestModel is ${name}, but computeMetrics gives ${Object.keys(metrics).join(", ")}; choose one of these`);
    if (!this.best.consider({ metric: value, loss: metrics["loss"], step: this.step })) return false;
    if (args.outputDir === null) await this.best.remember(model.parameters);
    else if (saves) this.best.rememberCheckpoint(checkpointPath(args.outputDir, this.step));
    return true;
  }

  private evaluatesAfter(planned: PlannedStep): boolean {
    return this.isDue(this.parts.args.evalStrategy, evalInterval(this.parts.args), planned);
  }

  private savesAfter(planned: PlannedStep): boolean {
    return this.isDue(this.parts.args.saveStrategy, this.parts.args.saveSteps, planned);
  }

  private isDue(strategy: IntervalStrategy, interval: number, { index, endsEpoch }: PlannedStep): boolean {
    if (strategy === "no") return false;
    if (strategy === "epoch") return endsEpoch;
    return (index + 1) % interval === 0 || index + 1 === this.extent.totalSteps;
  }

  /** Writes a checkpoint of the step just done; with averaging its model is the average, which must be swapped in. */
  private async save(evaluationDue: boolean): Promise<string> {
    const { args, model, trainStep, files, decisive } = this.parts;
    const { stepsPerEpoch, totalSteps } = this.extent;
    const state: TrainerState = {
      global_step: this.step,
      epoch: this.epochsDone,
      max_steps: totalSteps,
      best_metric: this.best.metric,
      best_model_checkpoint: this.best.checkpoint && nodeFiles().path.basename(this.best.checkpoint),
      log_history: this.logHistory,
      heddle: {
        version: 1,
        architecture: model.architecture.name,
        dataset_fingerprint: this.fingerprint,
        data_position: { seed: args.seed, epoch: Math.floor(this.step / stepsPerEpoch), batch: (this.step % stepsPerEpoch) * args.gradientAccumulationSteps },
        steps_since_log: this.stepsSinceLog,
        evaluation_due: evaluationDue,
        arguments: decisiveArguments(args, decisive),
      },
    };
    const path = await saveCheckpoint(args.outputDir!, { model, optimizer: trainStep.states.saved, state, files });
    if (args.saveTotalLimit !== null) await rotateCheckpoints(args.outputDir!, args.saveTotalLimit, [path, this.best.checkpoint]);
    return path;
  }

  /** @returns whether the run was stopped before it evaluated its last step */
  private async resume(checkpoint: string): Promise<boolean> {
    const { args, model, trainStep, decisive } = this.parts;
    const state = await readTrainerState(checkpoint);
    checkSameRun(state, { architecture: model.architecture.name, dataset_fingerprint: this.fingerprint, arguments: decisiveArguments(args, decisive) }, checkpoint);
    await checkSameConfig(checkpoint, model.config);
    await restoreParameters(checkpoint, model.parameters);
    await restoreOptimizer(checkpoint, trainStep.states.saved);
    await trainStep.swapAverages();
    this.step = state.global_step;
    this.epochsDone = state.epoch;
    this.stepsSinceLog = state.heddle.steps_since_log;
    this.logHistory = [...state.log_history];
    if (state.best_model_checkpoint !== null) {
      const { path } = nodeFiles();
      this.best.rememberCheckpoint(path.join(path.dirname(checkpoint), state.best_model_checkpoint));
      const measured = `eval_${plainName(args.metricForBestModel)}`;
      for (const { step, eval_loss: loss, [measured]: metric } of this.logHistory) if (metric !== undefined) this.best.consider({ metric, loss, step: step! });
    }
    return state.heddle.evaluation_due;
  }

  private async abort(cause: unknown): Promise<TrainingEvent> {
    const { args, model, trainStep } = this.parts;
    const { lossSum, finiteSteps } = trainStep.states;
    const [loss, finite] = await model.device.readStates([lossSum, finiteSteps]);
    if (this.stepsSinceLog > 0) this.checkFinite({ lossSum: loss![0]!, finiteSteps: finite![0]! });
    // From here on the model holds the average, as a finished run leaves it.
    await trainStep.swapAverages();
    const checkpoint = args.outputDir === null ? null : await this.save(isInterruptedEvaluation(cause));
    return { type: "aborted", step: this.step, checkpoint };
  }

  private async finish(): Promise<Pick<EndEvent, "bestMetric" | "bestStep" | "bestModelCheckpoint">> {
    const { args, model, trainStep } = this.parts;
    await trainStep.swapAverages();
    if (args.loadBestModelAtEnd) await this.best.restore(model.parameters);
    const { metric, step, checkpoint } = this.best;
    return { bestMetric: metric, bestStep: step, bestModelCheckpoint: checkpoint };
  }

  private get lengths(): number[] {
    return this.parts.dataset.map(({ inputIds }) => inputIds.length);
  }

  /** The step before the next one. */
  private plannedBefore(): PlannedStep {
    return stepsFrom(this.step - 1, this.extent, this.parts.args, this.lengths).next().value!;
  }

  private log(entry: Metrics): void {
    const finite = Object.entries({ step: this.step, epoch: this.epochsDone, ...entry }).filter(([, value]) => Number.isFinite(value));
    this.logHistory.push(Object.fromEntries(finite));
  }
}

/** A metric may be named as in the log or as in what measured it. */
const plainName = (metric: string): string => metric.replace(/^eval_/, "");

function isInterruptedEvaluation(error: unknown): boolean {
  return HeddleError.isInstance(error) && error.code === "ABORTED";
}

function isAbort(error: unknown, signal: AbortSignal): boolean {
  return error === signal.reason || isInterruptedEvaluation(error);
}
