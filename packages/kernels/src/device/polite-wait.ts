import type { AdapterProfile } from "./profile.ts";

/** Shorter waits are cheaper spun through than slept through. */
const MIN_SLEEP_MS = 4;

/**
 * Sleeps through most of the expected time before a promise of the GPU is awaited. In Node, Dawn polls with
 * setImmediate while such a promise is pending, and that takes a third of a core from a software adapter.
 */
export async function politely(profile: AdapterProfile, expectedMs: number): Promise<void> {
  const sleepMs = expectedMs * 0.9;
  if (profile.kind !== "software" || !("process" in globalThis) || sleepMs < MIN_SLEEP_MS) return;
  await new Promise((resolve) => setTimeout(resolve, sleepMs));
}
