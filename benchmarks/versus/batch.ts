import type { Implementation } from "./implementations/implementation.ts";
import type { Repetition } from "./turns.ts";

/** Repetitions are queued together until they take so long: what comes once a submission does not hide what is compared. */
const BATCH_MS = 20;
const MAX_BATCH = 64;
/** Batches that find their size, at most. */
const MAX_TRIALS = 4;
/** Repetitions that take so long need no company. */
const SLOW_MS = 500;

/** Times an implementation where it runs. */
export class Batches<Shape> {
  private times: number | null = null;

  constructor(
    private readonly implementation: Implementation<Shape>,
    /** What `Repetition.cpuMs` counts, so far. */
    private readonly cpuClock: () => number | null,
    private readonly wallClock: () => number = () => performance.now(),
  ) {}

  async prepare(shape: Shape): Promise<Float32Array> {
    this.times = null;
    return this.implementation.prepare(shape);
  }

  /** One repetition out of a batch that is awaited as a whole. */
  async repeat(): Promise<Repetition> {
    if (this.times !== null) return this.batch(this.times);
    const { times, slow } = await this.chooseTimes();
    this.times = times;
    return slow ?? this.batch(times);
  }

  /** `slow`: what a repetition took that needs no second one. */
  private async chooseTimes(): Promise<{ times: number; slow: Repetition | null }> {
    let times = 1;
    for (let trial = 0; trial < MAX_TRIALS; trial++) {
      const repetition = await this.batch(times);
      if (repetition.milliseconds > SLOW_MS) return { times, slow: repetition };
      const wanted = Math.min(MAX_BATCH, Math.max(1, Math.ceil(BATCH_MS / repetition.milliseconds)));
      // What the first one takes alone says little of a queue.
      if (trial > 0 && wanted <= times) break;
      times = Math.max(times, wanted);
    }
    return { times, slow: null };
  }

  private async batch(times: number): Promise<Repetition> {
    const [startMs, startCpuMs] = [this.wallClock(), this.cpuClock()];
    await this.implementation.repeat(times);
    const milliseconds = (this.wallClock() - startMs) / times;
    const cpuMs = this.cpuClock();
    return { milliseconds, cpuMs: cpuMs === null || startCpuMs === null ? null : (cpuMs - startCpuMs) / times };
  }
}
