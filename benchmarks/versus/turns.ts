import { cpus } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { median } from "../measure.ts";

/** One side of a comparison. */
export interface Contender {
  readonly name: string;
  /** Does the work once and resolves to its milliseconds, by the contender's own clock. */
  repeat(): Promise<number>;
}

/** Milliseconds that a turn fills with repetitions. */
const TURN_MS = 100;
const WINDOW_MS = 25;
/** A window in which this process computed for less than this counts as quiet. */
const QUIET_CPU_MS = 5;
const MAX_WINDOWS = 20;

export interface Turns {
  /** Milliseconds of one repetition by each contender. */
  readonly medians: readonly number[];
  /** Share of all cores that other programs took between the turns, 0 to 1. They hurt some contenders more than others. */
  readonly othersShare: number;
}

/**
 * Times one repetition of each contender. They take turns, A B C A B C …, so that a drifting machine slows all of them
 * alike, and each turn begins when nobody computes. What the others left behind (cold caches, threads asleep) makes the
 * first repetition of a turn up to twice as slow; it counts only where it fills the turn alone.
 */
export async function takeTurns(contenders: readonly Contender[], rounds: number): Promise<Turns> {
  const samples = contenders.map(() => [] as number[]);
  const pauses: Pause[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const [i, contender] of contenders.entries()) {
      pauses.push(await quiet());
      const turn: number[] = [];
      for (let spentMs = 0; spentMs < TURN_MS; spentMs += turn.at(-1)!) turn.push(await contender.repeat());
      samples[i]!.push(...(turn.length > 1 ? turn.slice(1) : turn));
    }
  }
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const share = sum(pauses.map(({ busyMs }) => busyMs)) / (cpus().length * sum(pauses.map(({ lengthMs }) => lengthMs)));
  // The system counts in ticks of 10 ms: few short pauses may hold more of them than there was time.
  return { medians: samples.map(median), othersShare: Math.min(1, share) };
}

/** Milliseconds that `work` takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}

/** A stretch of time between two turns. */
interface Pause {
  readonly lengthMs: number;
  /** Time that all cores together computed for others. */
  readonly busyMs: number;
}

/**
 * Waits until nobody's threads spin. After a run, onnxruntime's threads look for more work for about 30 ms and
 * PyTorch's (OpenMP's) for 5 to 10 ms: on two cores they take one of them from whoever comes next. Without this wait
 * PyTorch's first repetition after onnxruntime took 28 ms instead of 9.5 (MiniLM, 1 × 16), onnxruntime's after Heddle 67
 * instead of 37 (8 × 64); with it, repetitions take as long as alone. To switch spinning off instead would be unfair in
 * another way: onnxruntime's small batches then take half as long again, and nobody runs it so.
 */
async function quiet(): Promise<Pause> {
  // Longer than PyTorch's threads, which are not this process's, spin.
  await sleep(WINDOW_MS);
  for (let window = 1; ; window++) {
    const [startMs, ownStart, busyStartMs] = [performance.now(), process.cpuUsage(), machineBusyMs()];
    await sleep(WINDOW_MS);
    const { user, system } = process.cpuUsage(ownStart);
    const ownMs = (user + system) / 1e3;
    if (ownMs < QUIET_CPU_MS || window === MAX_WINDOWS) return { lengthMs: performance.now() - startMs, busyMs: Math.max(0, machineBusyMs() - busyStartMs - ownMs) };
  }
}

function machineBusyMs(): number {
  return cpus().reduce((total, { times }) => total + times.user + times.nice + times.sys + times.irq, 0);
}
