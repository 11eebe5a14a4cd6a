import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { createInterface } from "node:readline";
import { HeddleError } from "@heddle/kernels";

/** Characters of the peer's stderr that an error quotes. */
const QUOTED = 2000;

type Answer = { readonly result: unknown } | { readonly error: string };

/** A process that answers each line of JSON on stdin, `{ method, ...arguments }`, by one on stdout, `{ result }` or `{ error }`, in order. */
export class LinePeer {
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly waiting: { resolve: (result: unknown) => void; reject: (error: Error) => void }[] = [];
  private readonly exited: Promise<void>;
  private stderr = "";
  private gone: string | null = null;

  constructor(
    private readonly name: string,
    command: string,
    args: readonly string[],
    environment: NodeJS.ProcessEnv = process.env,
  ) {
    this.child = spawn(command, args, { stdio: "pipe", env: environment });
    this.child.stderr.setEncoding("utf8").on("data", (text: string) => (this.stderr = (this.stderr + text).slice(-QUOTED)));
    // A peer that died does not read; the calls that wait are told by `end`.
    this.child.stdin.on("error", () => {});
    createInterface({ input: this.child.stdout }).on("line", (line) => this.receive(line));
    this.exited = new Promise((resolve) => {
      this.child.on("error", ({ message }) => resolve(this.end(message)));
      this.child.on("close", (code, signal) => resolve(this.end(code === null ? `it was ended by ${signal}` : `it ended with exit code ${code}`)));
    });
  }

  /** Throws RUNTIME_FAILED with the peer's own words where it answers by an error, or is gone. */
  call(method: string, args: object = {}): Promise<unknown> {
    if (this.gone !== null) return Promise.reject(this.failure(this.gone));
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      this.child.stdin.write(`${JSON.stringify({ method, ...args })}\n`);
    });
  }

  /** Lets the peer end by itself; calls still waiting are answered first. */
  async close(): Promise<void> {
    this.child.stdin.end();
    await this.exited;
  }

  private receive(line: string): void {
    const answer = parseAnswer(line);
    if (answer === null) {
      this.child.kill();
      this.end(`it answered ${JSON.stringify(line.slice(0, QUOTED))}, which is not a line of the protocol`);
      return;
    }
    const call = this.waiting.shift();
    if ("error" in answer) call?.reject(this.failure(answer.error));
    else call?.resolve(answer.result);
  }

  private end(reason: string): void {
    this.gone ??= `${reason}${this.stderr === "" ? "" : `; its last words: ${this.stderr.trim()}`}`;
    for (const { reject } of this.waiting.splice(0)) reject(this.failure(this.gone));
  }

  private failure(reason: string): HeddleError {
    return new HeddleError("RUNTIME_FAILED", `[${this.name}] ${reason}`);
  }
}

/** Null for a line that is no answer. */
export function parseAnswer(line: string): Answer | null {
  try {
    const answer: unknown = JSON.parse(line);
    if (typeof answer !== "object" || answer === null) return null;
    if ("error" in answer && typeof answer.error === "string") return { error: answer.error };
    return "result" in answer ? { result: answer.result } : null;
  } catch {
    return null;
  }
}
