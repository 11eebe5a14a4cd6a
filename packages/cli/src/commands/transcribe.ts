import { readFile } from "node:fs/promises";
import { HeddleError, readWav, SpeechRecognizer } from "@heddle/tasks";
import { loadingOptions } from "../screen/loading-progress.ts";
import type { Session } from "../session/session.ts";

export interface TranscribeOptions {
  readonly model: string;
  readonly language?: string;
  readonly translate?: boolean;
}

/** `heddle transcribe`: what is said in a recording, an utterance a line, as it is understood. */
export async function transcribe(file: string, { model, language, translate }: TranscribeOptions, session: Session): Promise<void> {
  const { signal, terminal, status } = session;
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new HeddleError("FILE_UNREADABLE", `[transcribe] ${file} could not be read (${(cause as Error).message}): check its name`, { cause });
  });
  const sound = readWav(bytes, file);
  status.update("loading the model");
  using recognizer = await SpeechRecognizer.fromPretrained(model, loadingOptions(session));
  const segments = [];
  const onProgress = ({ doneSeconds, totalSeconds }: { doneSeconds: number; totalSeconds: number }) => status.update(`${clock(doneSeconds)} of ${clock(totalSeconds)}`);
  for await (const segment of recognizer.stream(sound, { signal, onProgress, task: translate ? "translate" : "transcribe", ...(language !== undefined && { language }) })) {
    segments.push(segment);
    status.clear();
    session.event({ type: "segment", ...segment });
    if (!session.options.json) terminal.out.write(`${terminal.out.colors.dim(`${clock(segment.startSeconds)} – ${clock(segment.endSeconds)}`)}  ${segment.text}\n`);
  }
  status.clear();
  session.result({ text: segments.map(({ text }) => text).join(" "), segments }, () => (segments.length === 0 ? "nobody speaks in this recording\n" : ""));
}

/** Minutes and seconds. */
function clock(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(1).padStart(4, "0")}`;
}
