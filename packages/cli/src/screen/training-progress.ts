import type { DownloadProgress, FitEvaluationEvent, FitEvent, FitPlanEvent, FitStepEvent } from "@heddle/tasks";
import type { Session } from "../session/session.ts";
import { barLine } from "./bar.ts";
import { count, countOf, duration, megabytes, millions, percent, someOf } from "./format.ts";
import { loadingProgress } from "./loading-progress.ts";
import { columns } from "./table.ts";

const MAX_LABELS = 12;
/** Where nobody watches, a line in a log now and then. */
const LOG_INTERVAL_MS = 15_000;

/** What a training run says while it works: on a terminal a bar with evaluations above it, in a log some lines. */
export class TrainingProgress {
  readonly #loading: (progress: DownloadProgress) => void;
  #plan: FitPlanEvent | undefined;
  #planMs = 0;
  #accuracy: number | undefined;
  #lastLogMs = -Infinity;

  constructor(
    private readonly session: Session,
    private readonly nowMs: () => number = () => performance.now(),
  ) {
    this.#loading = loadingProgress(session);
  }

  handle(event: FitEvent): void {
    if (event.type === "download") {
      this.#loading(event);
      return;
    }
    this.session.event(event);
    if (event.type === "phase") this.session.log(this.dim(`• ${event.message} …`));
    else if (event.type === "plan") this.start(event);
    else if (event.type === "step") this.step(event);
    else if (event.type === "evaluation") this.evaluation(event);
    else if (event.type === "warning") this.session.warn(event.message);
    else if (this.session.options.verbose) this.session.log(this.dim(`• step ${event.step} is safe in ${event.folder}`));
  }

  private start(plan: FitPlanEvent): void {
    this.#plan = plan;
    this.#planMs = this.nowMs();
    const origin = plan.fineTuned ? "fine-tuned from the given checkpoint" : "from scratch";
    const memory = plan.peakBytes > 0 ? ` · ${megabytes(plan.peakBytes)} on the device` : "";
    const resumed = plan.resumedStep > 0 ? ` · going on after step ${count(plan.resumedStep)}` : "";
    const rows = [
      ["device", plan.device],
      ["data", `${countOf(plan.numTrainRows, "row")} to train on, ${count(plan.numEvalRows)} to evaluate on · ${plan.labels.length} labels: ${someOf(plan.labels, MAX_LABELS)}`],
      ["model", `${millions(plan.numParameters)} parameters, ${origin} · ${count(plan.vocabSize)} tokens · texts up to ${plan.maxLength} tokens`],
      ["training", `${countOf(Math.round(100 * plan.numTrainEpochs) / 100, "epoch")}, ${countOf(plan.totalSteps, "step")} of ${plan.batchSize} rows · learning rate ${plan.learningRate}${memory}${resumed}`],
      ["to beat", `${percent(plan.majorityAccuracy)} by always answering the most frequent label`],
    ];
    this.session.log(`\n${columns(rows.map(([name, value]) => [this.dim(name!), value!]), ["left", "left"])}`);
  }

  private step(event: FitStepEvent): void {
    const { status, terminal } = this.session;
    const rest = this.statusTexts(event);
    if (terminal.err.isTTY) {
      status.update(barLine(event.step / event.totalSteps, rest, terminal.err));
      return;
    }
    const isLast = event.step === event.totalSteps;
    if (!isLast && this.nowMs() - this.#lastLogMs < LOG_INTERVAL_MS) return;
    this.#lastLogMs = this.nowMs();
    this.session.log(rest.join("  "));
  }

  private statusTexts({ step, totalSteps, loss, tokensPerSecond }: FitStepEvent): string[] {
    const { resumedStep } = this.#plan!;
    const seconds = (this.nowMs() - this.#planMs) / 1000;
    const remaining = (seconds / (step - resumedStep)) * (totalSteps - step);
    return [
      `step ${count(step)}/${count(totalSteps)}`,
      `loss ${loss.toFixed(4)}`,
      ...(this.#accuracy === undefined ? [] : [`accuracy ${percent(this.#accuracy)}`]),
      `${count(tokensPerSecond)} tokens/s`,
      step === totalSteps ? `took ${duration(seconds)}` : `${duration(remaining)} left`,
    ];
  }

  private evaluation({ epoch, step, loss, accuracy, f1Macro, best }: FitEvaluationEvent): void {
    const { colors } = this.session.terminal.err;
    this.#accuracy = accuracy;
    const mark = best ? `  ${colors.green("best so far")}` : "";
    this.session.log(`epoch ${String(Math.round(100 * epoch) / 100).padStart(3)}  step ${count(step).padStart(6)}  evaluation loss ${loss.toFixed(4)}  accuracy ${percent(accuracy).padStart(7)}  F1 ${percent(f1Macro).padStart(7)}${mark}`);
  }

  private dim(text: string): string {
    return this.session.terminal.err.colors.dim(text);
  }
}
