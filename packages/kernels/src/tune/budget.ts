/** Milliseconds that compiling and measuring may take in all. What is begun is finished: a driver's compiler does not stop. */
export class Budget {
  private readonly startMs: number;

  constructor(
    readonly totalMs: number,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.startMs = now();
  }

  get isSpent(): boolean {
    return this.now() - this.startMs >= this.totalMs;
  }

  /** How long `work` took. */
  async timed(work: () => Promise<void>): Promise<number> {
    const startMs = this.now();
    await work();
    return this.now() - startMs;
  }
}
