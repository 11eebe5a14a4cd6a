import { tunePretrained, type ModelTuning } from "@heddle/tasks";
import { millions } from "../screen/format.ts";
import { columns } from "../screen/table.ts";
import { loadingProgress } from "../screen/loading-progress.ts";
import type { Session } from "../session/session.ts";

export interface TuneOptions {
  readonly batch: number;
  readonly length?: number;
  /** Seconds. */
  readonly budget: number;
}

/** `heddle tune`: finds the fastest kernels for a model on this machine, and keeps them. */
export async function tuneModel(model: string, { batch, length, budget }: TuneOptions, session: Session): Promise<void> {
  const { signal, status, options } = session;
  try {
    status.update("loading …");
    const tuning = await tunePretrained(model, {
      batchSize: batch,
      length,
      budgetMs: 1000 * budget,
      device: options.device,
      seed: options.seed,
      ...session.revision,
      signal,
      log: (line) => session.log(line),
      onLoadProgress: loadingProgress(session),
      onProgress(event) {
        if (event.type !== "start") return;
        const { bucket, done, total } = event;
        session.event({ type: "tune", bucket, done, total });
        status.update(`measuring ${bucket} (${done + 1} of ${total}) …`);
      },
    });
    session.result(tuning, () => render(tuning, session));
  } finally {
    status.clear();
  }
}

function render({ model, architecture, numParameters, batchSize, length, adapter, results, skipped }: ModelTuning, { terminal: { out } }: Session): string {
  const { bold, dim, green, yellow } = out.colors;
  const title = `${bold(model)} · ${architecture}, ${millions(numParameters)} parameters · ${batchSize} × ${length} tokens\n${dim(adapter)}\n\n`;
  const header = ["op and sizes", "default", "fastest", "gain"].map((name) => dim(name));
  const rows = results.map(({ bucket, shipped, winner, speedup }) => [bucket, shipped, winner === shipped ? dim("the same") : green(winner), winner === shipped ? "" : `${speedup.toFixed(2)}×`]);
  const table = rows.length > 0 ? columns([header, ...rows], ["left", "left", "left", "right"]) : "nothing new to measure: all was known, or has one kernel only\n";
  const notes = [
    ...results.flatMap(({ bucket, candidates }) => candidates.filter(({ reason }) => reason !== undefined).map(({ design, outcome, reason }) => `${bucket}: ${design} is ${outcome}: ${reason}`)),
    ...skipped.map(({ bucket, reason }) => `${bucket} was not measured: ${reason}`),
  ];
  return `${title}${table}${notes.length > 0 ? `\n${notes.map((note) => `${yellow(note)}\n`).join("")}` : ""}`;
}
