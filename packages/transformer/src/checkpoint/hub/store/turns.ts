const lastTurns = new Map<string, Promise<void>>();

/**
 * Waits until all who asked for `key` before have left, in this process.
 *
 * @returns to call when done
 */
export async function takeTurn(key: string, onWait: () => void, signal?: AbortSignal): Promise<() => void> {
  const before = lastTurns.get(key);
  let leave!: () => void;
  const turn = new Promise<void>((resolve) => (leave = resolve));
  const last = (before ?? Promise.resolve()).then(() => turn);
  lastTurns.set(key, last);
  void last.then(() => {
    if (lastTurns.get(key) === last) lastTurns.delete(key);
  });
  if (before) onWait();
  try {
    await orAborted(before, signal);
  } catch (error) {
    leave();
    throw error;
  }
  return leave;
}

async function orAborted(work: Promise<void> | undefined, signal: AbortSignal | undefined): Promise<void> {
  if (!signal) return work;
  signal.throwIfAborted();
  let stop!: () => void;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error);
    signal.addEventListener("abort", stop);
  });
  try {
    await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
