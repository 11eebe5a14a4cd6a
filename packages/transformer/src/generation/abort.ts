import { HeddleError } from "@heddle/kernels";

/** Throws ABORTED where the caller has stopped the work. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new HeddleError("ABORTED", "[generate] was stopped", { cause: signal.reason });
}
