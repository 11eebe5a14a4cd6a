/** Shorter waits are cheaper spun through than slept through. */
const MIN_SLEEP_MS = 4;

/**
 * Waits for the queue of a peer better than a peer does. While a promise of the GPU is pending in Node, Dawn polls with
 * setImmediate, which takes a third of a core from a software adapter: so it sleeps through most of what the same
 * number of repetitions took last time.
 */
export class QueueWait {
  private times = 0;
  private lastMs = 0;

  private failure: string | null = null;

  constructor(private readonly device: GPUDevice) {
    // Peers print what the GPU says against their commands, and go on: the fastest kernel is one that never ran.
    device.addEventListener("uncapturederror", ({ error }) => (this.failure ??= error.message));
  }

  /** @param startMs when the first of `times` repetitions was queued */
  async finish(times: number, startMs: number): Promise<void> {
    const sleepMs = times === this.times ? 0.9 * (this.lastMs - (performance.now() - startMs)) : 0;
    if ("process" in globalThis && sleepMs >= MIN_SLEEP_MS) await new Promise((resolve) => setTimeout(resolve, sleepMs));
    await this.device.queue.onSubmittedWorkDone();
    if (this.failure !== null) throw new Error(`the GPU reports: ${this.failure}`);
    this.times = times;
    this.lastMs = performance.now() - startMs;
  }
}
