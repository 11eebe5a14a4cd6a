import { HeddleError } from "@heddle/kernels";

/** Longest stretch of work before other tasks (a page's frames, a server's requests) get their turn. */
const STRETCH_MS = 20;

/**
 * Lets long synchronous work share its thread: await the result now and then; it gives way when a stretch is over,
 * and throws `ABORTED` once `signal` is.
 */
export function createBreather(what: string, signal?: AbortSignal): () => Promise<void> | undefined {
  let since = performance.now();
  const check = (): void => {
    if (signal?.aborted) throw new HeddleError("ABORTED", `[${what}] was stopped before it was done`, { cause: signal.reason });
  };
  check();
  return () => {
    check();
    if (performance.now() - since < STRETCH_MS) return undefined;
    return new Promise<void>((resolve) => setTimeout(resolve)).then(() => {
      since = performance.now();
      check();
    });
  };
}
