/** Calls under way, so that what they use is freed after the last of them. */
export class InFlight {
  private readonly calls = new Set<Promise<unknown>>();

  async run<T>(work: () => Promise<T>): Promise<T> {
    const call = work();
    this.calls.add(call);
    try {
      return await call;
    } finally {
      this.calls.delete(call);
    }
  }

  /** Resolves when the calls of now have ended, one way or the other. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.calls);
  }
}
