import type { Readable, Writable } from "node:stream";
import picocolors from "picocolors";

type Colors = ReturnType<typeof picocolors.createColors>;

/** One way out: where text goes, and whether a person watches. */
export interface Screen {
  readonly stream: Writable;
  readonly isTTY: boolean;
  readonly colors: Colors;
  /** Characters a line, now. */
  columns(): number;
  write(text: string): void;
}

/** Everything a command sees of the outside, so that tests can be the outside. */
export interface Terminal {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  /** Results. */
  readonly out: Screen;
  /** Progress, warnings and errors. */
  readonly err: Screen;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What the user typed after `heddle`. */
  readonly args: readonly string[];
}

type OutputStream = Writable & { readonly isTTY?: boolean; readonly columns?: number };

const DEFAULT_COLUMNS = 80;

/** NO_COLOR and FORCE_COLOR as no-color.org and force-color.org have them. */
export function screen(stream: OutputStream, env: Terminal["env"]): Screen {
  const isTTY = stream.isTTY === true;
  const forced = env["FORCE_COLOR"] !== undefined && env["FORCE_COLOR"] !== "" && env["FORCE_COLOR"] !== "0";
  const hasColors = !env["NO_COLOR"] && (forced || (isTTY && env["TERM"] !== "dumb"));
  return {
    stream,
    isTTY,
    colors: picocolors.createColors(hasColors),
    columns: () => stream.columns ?? DEFAULT_COLUMNS,
    write: (text) => void stream.write(text),
  };
}
