import { HeddleError } from "@heddle/tasks";

export const EXIT = { ok: 0, failure: 1, usage: 2, interrupted: 130 } as const;

/** Ended by Ctrl-C. The message says what is safe and how to go on. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
}

export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly exitCode: number;
}

/** What to tell the user about anything that was thrown. */
export function failureOf(error: unknown, signal: AbortSignal): Failure {
  if (error instanceof Interrupted) return { code: "INTERRUPTED", message: error.message, exitCode: EXIT.interrupted };
  if (isAbort(error, signal)) return { code: "INTERRUPTED", message: "stopped", exitCode: EXIT.interrupted };
  if (HeddleError.isInstance(error)) {
    return { code: error.code, message: error.message, exitCode: error.code === "INVALID_ARGUMENT" ? EXIT.usage : EXIT.failure };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: "UNEXPECTED", message: `${message}; this should not happen: run it again with --verbose and report what it prints`, exitCode: EXIT.failure };
}

/** True for errors that only say that the signal fired. */
export function isAbort(error: unknown, signal: AbortSignal): boolean {
  if (!signal.aborted) return false;
  return error === signal.reason || (HeddleError.isInstance(error) && error.code === "ABORTED") || (error instanceof Error && error.name === "AbortError");
}
