import type { AdapterProfile } from "./profile.ts";

/** Shorter waits are not worth a timer. */
const MIN_SLEEP_MS = 4;
/** How much of an expected time is slept through: work that ends early must not wait for the sleeper. */
export const SLEEP_SHARE = 0.85;
/** What the end of work may be noticed late by, and for how long other events of the process may have to wait: at first, of the wait so far, at most. */
const NAP = { leastMs: 0.2, share: 0.01, mostMs: 2 };

/**
 * While a promise of the GPU is pending in Node, Dawn polls with setImmediate, as fast as JavaScript can: on a software adapter
 * that takes a third of a core from the shaders.
 */
const pollsForShaders = ({ kind }: AdapterProfile) => kind === "software" && "process" in globalThis && !("document" in globalThis);

/** Sleeps through most of the expected time before a promise of the GPU is made and awaited. */
export async function politely(profile: AdapterProfile, expectedMs: number): Promise<void> {
  const sleepMs = expectedMs * SLEEP_SHARE;
  if (pollsForShaders(profile) && sleepMs >= MIN_SLEEP_MS) await new Promise((resolve) => setTimeout(resolve, sleepMs));
}

/** Awaits a promise of the GPU, with a nap after each of Dawn's polls. */
export async function napping<T>(profile: AdapterProfile, promise: Promise<T>): Promise<T> {
  if (!pollsForShaders(profile)) return promise;
  // Shared memory is not for every page, but every Node has it.
  const neverWoken = new Int32Array(new SharedArrayBuffer(4));
  const startMs = performance.now();
  let pending = true;
  const settled = () => (pending = false);
  promise.then(settled, settled);
  while (pending) {
    await new Promise((resolve) => setImmediate(resolve));
    if (pending) Atomics.wait(neverWoken, 0, 0, Math.min(NAP.mostMs, Math.max(NAP.leastMs, NAP.share * (performance.now() - startMs))));
  }
  return promise;
}
