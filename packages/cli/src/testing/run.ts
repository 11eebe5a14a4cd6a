import { PassThrough, Readable, Writable } from "node:stream";
import { heddle } from "../heddle.ts";
import { screen } from "../session/terminal.ts";

export interface Finished {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
  /** Standard output as JSON lines. */
  readonly lines: Record<string, unknown>[];
  readonly last: Record<string, unknown>;
}

export interface RunOptions {
  /** What comes on standard input; by default nothing. */
  stdin?: string | Readable;
  signal?: AbortSignal;
  /** Called with each piece of standard output. */
  onOut?: (text: string) => void;
  columns?: number;
  isTTY?: boolean;
}

/** Runs the command in this process, as a shell without a terminal would. */
export async function run(args: readonly string[], { stdin = "", signal = new AbortController().signal, onOut, columns, isTTY = false }: RunOptions = {}): Promise<Finished> {
  const env = { NO_COLOR: "1" };
  const capture = (onText?: (text: string) => void): { stream: Writable; text: () => string } => {
    let all = "";
    const stream = new Writable({
      write(chunk: Buffer, _encoding, done) {
        all += chunk.toString();
        onText?.(chunk.toString());
        done();
      },
    });
    return { stream: Object.assign(stream, { isTTY, columns }), text: () => all };
  };
  const [out, err] = [capture(onOut), capture()];
  const input = typeof stdin === "string" ? Readable.from(stdin === "" ? [] : [stdin]) : stdin;
  const exitCode = await heddle({ stdin: input.pipe(new PassThrough()), out: screen(out.stream, env), err: screen(err.stream, env), env, args }, signal);
  const lines = out
    .text()
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { exitCode, out: out.text(), err: err.text(), lines, last: lines.at(-1) ?? {} };
}
