import type { FitRecommenderEvent } from "@heddle/tasks";
import type { Session } from "../session/session.ts";
import { count, countOf, duration, megabytes, millions } from "./format.ts";
import { columns } from "./table.ts";

/** What the training of a recommender says while it works: on a terminal the newest epoch, with evaluations above it, in a log these alone. */
export class RecommenderProgress {
  #bestEpoch: number | undefined;

  constructor(private readonly session: Session) {}

  /** The epoch whose weights the model has; undefined before it was chosen. */
  get bestEpoch(): number | undefined {
    return this.#bestEpoch;
  }

  handle(event: FitRecommenderEvent): void {
    this.session.event(event);
    if (event.type === "plan") this.plan(event);
    else if (event.type === "epoch") this.session.status.update(`epoch ${event.epoch}  loss ${event.loss.toFixed(4)}  ${duration(event.seconds)} an epoch`);
    else if (event.type === "evaluation") this.evaluation(event);
    else this.#bestEpoch = event.epoch;
  }

  private plan({ device, numItems, numWindows, numValidation, numParameters, stepsPerEpoch, peakBytes, resumedEpoch }: Extract<FitRecommenderEvent, { type: "plan" }>): void {
    const { dim } = this.session.terminal.err.colors;
    const rows = [
      ["device", device],
      ["data", `${countOf(numWindows, "window")} of histories to train on, ${countOf(numValidation, "user")} to choose the best epoch by · ${countOf(numItems, "item")}`],
      ["model", `${millions(numParameters)} parameters, from scratch`],
      ["training", `${countOf(stepsPerEpoch, "step")} an epoch${peakBytes > 0 ? ` · ${megabytes(peakBytes)} on the device` : ""}${resumedEpoch > 0 ? ` · going on after epoch ${count(resumedEpoch)}` : ""}`],
    ];
    this.session.log(`\n${columns(rows.map(([name, value]) => [dim(name!), value!]), ["left", "left"])}`);
  }

  private evaluation({ epoch, hitRate, ndcg, best }: Extract<FitRecommenderEvent, { type: "evaluation" }>): void {
    const mark = best ? `  ${this.session.terminal.err.colors.green("best so far")}` : "";
    this.session.log(`epoch ${count(epoch).padStart(3)}  validation HR@10 ${hitRate.toFixed(4)}  NDCG@10 ${ndcg.toFixed(4)}${mark}`);
  }
}
