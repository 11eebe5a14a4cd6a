import { EXIT } from "./failure.ts";

/** npm passes a Ctrl-C on to its child, which the terminal has reached already: two signals for one key. */
const SAME_KEY_MS = 400;

/**
 * A signal that fires at the first Ctrl-C (or SIGTERM); the second one leaves at once. Nothing is lost by that: folders
 * are written atomically, and the lock of a process that is gone is taken over.
 */
export function onInterrupt(host: NodeJS.Process = process): { signal: AbortSignal; stopListening(): void } {
  const controller = new AbortController();
  let firstMs: number | undefined;
  const listener = (): void => {
    const nowMs = performance.now();
    if (firstMs !== undefined && nowMs - firstMs > SAME_KEY_MS) host.exit(EXIT.interrupted);
    firstMs ??= nowMs;
    controller.abort();
  };
  host.on("SIGINT", listener);
  host.on("SIGTERM", listener);
  return {
    signal: controller.signal,
    stopListening: () => {
      host.off("SIGINT", listener);
      host.off("SIGTERM", listener);
    },
  };
}
