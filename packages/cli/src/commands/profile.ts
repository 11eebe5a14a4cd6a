import { writeFile } from "node:fs/promises";
import { HeddleError, profilePretrained, toChromeTrace, type ModelProfile, type ProfileReport } from "@heddle/tasks";
import { count, millions, milliseconds, percent } from "../screen/format.ts";
import { columns } from "../screen/table.ts";
import { loadingProgress } from "../screen/loading-progress.ts";
import type { Session } from "../session/session.ts";

export interface ProfileOptions {
  readonly batch: number;
  readonly length?: number;
  readonly trace?: string;
}

/** `heddle profile`: what each kernel of a forward pass costs. */
export async function profileModel(model: string, { batch, length, trace }: ProfileOptions, session: Session): Promise<void> {
  const { signal, status, options } = session;
  try {
    // Before the work, not after it.
    if (trace !== undefined) await write(trace, "");
    status.update("profiling …");
    const profile = await profilePretrained(model, { batchSize: batch, length, device: options.device, seed: options.seed, ...session.revision, signal, log: (line) => session.log(line), onLoadProgress: loadingProgress(session) });
    if (trace !== undefined) await write(trace, `${JSON.stringify(toChromeTrace(profile.report))}\n`);
    const { report, ...about } = profile;
    const { spans: _, ...summary } = report;
    session.result({ ...about, ...summary, ...(trace !== undefined && { trace }) }, () => render(profile, trace, session));
  } finally {
    status.clear();
  }
}

async function write(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text);
  } catch (cause) {
    throw new HeddleError("FOLDER_NOT_WRITABLE", `[${file}] could not be written (${(cause as Error).message}): give --trace a file in a folder that exists and that you may write to`, { cause });
  }
}

function render({ model, architecture, numParameters, batchSize, length, report }: ModelProfile, trace: string | undefined, { terminal: { out } }: Session): string {
  const { bold, dim } = out.colors;
  const { rows, totalMs, dispatches, javascriptMs, ceilings, adapter } = report;
  const title = `${bold(model)} · ${architecture}, ${millions(numParameters)} parameters · ${batchSize} × ${length} tokens\n${dim(adapter)}\n`;
  const header = ["kernel", "calls", "time", "share", "GFLOP/s", "GB/s", "of the ceiling"].map((name) => dim(name));
  const cells = rows.map(({ label, calls, ms, share, gflops, gbps, ofCeiling }) => [label, count(calls), milliseconds(ms), percent(share), gflops.toFixed(1), gbps.toFixed(2), percent(ofCeiling)]);
  const calls = rows.reduce((sum, row) => sum + row.calls, 0);
  const table = columns([header, ...cells, [bold("all"), count(calls), bold(milliseconds(totalMs)), ...overall(report)]]);
  const notes = [
    `${count(dispatches)} dispatches, which JavaScript queues in ${milliseconds(javascriptMs)}: ${((1e3 * javascriptMs) / dispatches).toFixed(1)} µs each`,
    `ceilings measured now: ${ceilings.multiplyAddGflops.toFixed(1)} GFLOP/s of multiply-adds, ${ceilings.copyGBps.toFixed(2)} GB/s read and written by a copy`,
    report.method === "timestamps" ? "times by the GPU's timestamps, means of several runs" : "this adapter has no timestamps: each kernel was repeated alone, by the host's clock",
    ...(trace === undefined ? [] : [`${trace}: open it in chrome://tracing or https://ui.perfetto.dev`]),
  ];
  return `${title}\n${table}\n${notes.map((note) => `${dim(note)}\n`).join("")}`;
}

/** The last line's share, rates and part of the ceiling. */
function overall({ rows, totalMs }: ProfileReport): string[] {
  const sum = (amount: (row: ProfileReport["rows"][number]) => number) => (totalMs > 0 ? rows.reduce((total, row) => total + amount(row) * row.ms, 0) / totalMs : 0);
  return ["", sum(({ gflops }) => gflops).toFixed(1), sum(({ gbps }) => gbps).toFixed(2), percent(sum(({ ofCeiling }) => ofCeiling))];
}
