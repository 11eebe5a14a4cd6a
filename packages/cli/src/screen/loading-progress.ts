import type { DeviceName, LoadProgress } from "@heddle/tasks";
import type { Session } from "../session/session.ts";
import { barLine } from "./bar.ts";
import { duration, fileSize } from "./format.ts";

/** Where nobody watches, a line for files that take a while. */
const WORTH_A_LINE_BYTES = 10_000_000;
/** Between two drawings; pieces of a file come thousands a second. */
const REDRAW_MS = 100;
/** Before that a rate says little. */
const RATE_AFTER_SECONDS = 1;
const MAX_NAME_CHARACTERS = 40;

/** What every command loads its model with: the download is shown, the rest is heard. */
export function loadingOptions(session: Session): { device: DeviceName | undefined; revision?: string; signal: AbortSignal; log: (line: string) => void; onProgress: (progress: LoadProgress) => void } {
  return { device: session.options.device, ...session.revision, signal: session.signal, log: (line) => session.log(line), onProgress: loadingProgress(session) };
}

/** Shows how far a download is: on a terminal as a bar, in a log once for each large file. */
export function loadingProgress(session: Session, nowMs: () => number = () => performance.now()): (progress: LoadProgress) => void {
  const { status, terminal } = session;
  const begun = new Map<string, { readonly ms: number; readonly bytes: number }>();
  let drawnMs = -Infinity;
  return (progress) => {
    if (progress.type !== "download") {
      if (begun.size > 0) status.update("loading the model");
      return;
    }
    const { file, receivedBytes, totalBytes } = progress;
    const isNew = !begun.has(file);
    // What an earlier, broken download left came at no rate.
    if (isNew) begun.set(file, { ms: nowMs(), bytes: receivedBytes });
    if (!terminal.err.isTTY) {
      if (isNew && totalBytes >= WORTH_A_LINE_BYTES) session.log(`downloading ${file}, ${fileSize(totalBytes)} …`);
      return;
    }
    if (!isNew && receivedBytes < totalBytes && nowMs() - drawnMs < REDRAW_MS) return;
    drawnMs = nowMs();
    const { ms, bytes } = begun.get(file)!;
    const seconds = (drawnMs - ms) / 1000;
    const rate = (receivedBytes - bytes) / seconds;
    const isKnown = seconds >= RATE_AFTER_SECONDS && rate > 0;
    const texts = [shortened(file), `${fileSize(receivedBytes)} of ${fileSize(totalBytes)}`, ...(isKnown ? [`${fileSize(Math.round(rate))}/s`, `${duration((totalBytes - receivedBytes) / rate)} left`] : [])];
    status.update(barLine(totalBytes === 0 ? 1 : receivedBytes / totalBytes, texts, terminal.err));
  };
}

/** A path without what is in front of its last part, cut in its middle where that is long: numbers of parts stand at the end. */
function shortened(path: string): string {
  const name = path.slice(path.lastIndexOf("/") + 1);
  if (name.length <= MAX_NAME_CHARACTERS) return name;
  const kept = (MAX_NAME_CHARACTERS - 1) / 2;
  return `${name.slice(0, Math.ceil(kept))}…${name.slice(-Math.floor(kept))}`;
}
