import type { DeviceName } from "@heddle/tasks";
import { StatusLine } from "../screen/status-line.ts";
import type { Terminal } from "./terminal.ts";

/** The options that every command has. */
export interface CommonOptions {
  readonly device?: DeviceName;
  readonly seed: number;
  readonly json?: boolean;
  readonly verbose?: boolean;
  /** Of the model, where that comes from the Hub. */
  readonly revision?: string;
}

/** One run of one command. */
export class Session {
  readonly status: StatusLine;

  constructor(
    readonly terminal: Terminal,
    readonly options: CommonOptions,
    readonly signal: AbortSignal,
  ) {
    this.status = new StatusLine(terminal.err);
  }

  /** A line for people, on standard error. */
  log(line: string): void {
    this.status.print(line);
  }

  warn(message: string): void {
    this.log(`${this.terminal.err.colors.yellow("warning")} ${message}`);
  }

  /** Something that happened: one JSON line on standard output, with --json only. */
  event(event: object): void {
    if (this.options.json) this.terminal.out.write(`${JSON.stringify(event)}\n`);
  }

  /** What the command was run for: the last JSON line, or `text` for people, on standard output. */
  result(result: object, text: () => string): void {
    this.status.clear();
    if (this.options.json) this.event({ type: "result", ...result });
    else this.terminal.out.write(text());
  }

  /** For options of the library, where an absent key leaves the choice to it. */
  get revision(): { readonly revision?: string } {
    const { revision } = this.options;
    return revision === undefined ? {} : { revision };
  }

  /** How this user calls the command. */
  get command(): string {
    return this.terminal.env["npm_execpath"] === undefined ? "heddle" : "npx heddle";
  }
}
