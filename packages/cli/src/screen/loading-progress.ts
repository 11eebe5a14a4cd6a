import type { DeviceName, LoadProgress } from "@heddle/tasks";
import type { Session } from "../session/session.ts";
import { fileSize } from "./format.ts";

/** Where nobody watches, a line for files that take a while. */
const WORTH_A_LINE_BYTES = 10_000_000;

/** What every command loads its model with: the download is shown, the rest is heard. */
export function loadingOptions(session: Session): { device: DeviceName | undefined; signal: AbortSignal; log: (line: string) => void; onProgress: (progress: LoadProgress) => void } {
  return { device: session.options.device, signal: session.signal, log: (line) => session.log(line), onProgress: loadingProgress(session) };
}

/** Shows how far a download is: on a terminal as it goes, in a log once for each large file. */
export function loadingProgress(session: Session): (progress: LoadProgress) => void {
  const { status, terminal } = session;
  const announced = new Set<string>();
  return (progress) => {
    if (progress.type !== "download") {
      if (announced.size > 0) status.update("loading the model");
      return;
    }
    const { file, receivedBytes, totalBytes } = progress;
    status.update(`downloading ${file}, ${fileSize(receivedBytes)} of ${fileSize(totalBytes)}`);
    if (!terminal.err.isTTY && totalBytes >= WORTH_A_LINE_BYTES && !announced.has(file)) session.log(`downloading ${file}, ${fileSize(totalBytes)} …`);
    announced.add(file);
  };
}
