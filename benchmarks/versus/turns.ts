import { cpus } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { median } from "../measure.ts";

/** What one piece of work took. */
export interface Repetition {
  readonly milliseconds: number;
  /** CPU time of all threads but JavaScript's: on a software adapter, the shaders and whatever waits for them. Null where nobody counts. */
  readonly cpuMs: number | null;
}

/** One side of a comparison. */
export interface Contender {
  readonly name: string;
  /** Does the work once; its time by the contender's own clock. */
  repeat(): Promise<Repetition>;
  /** Waits until threads of its own process rest. */
  settle?(): Promise<void>;
}

/** Milliseconds that a turn fills with repetitions. */
const TURN_MS = 100;
const WINDOW_MS = 25;
/** A window in which this process computed for less than this counts as quiet. */
const QUIET_CPU_MS = 5;
const MAX_WINDOWS = 20;
/** Rounds that are run even where they take long. */
const MIN_ROUNDS = 3;

export interface TurnsOptions {
  readonly rounds: number;
  /** After this no further round begins, where there were at least three. */
  readonly budgetMs?: number;
}

export interface Turns {
  /** Medians of each contender's repetitions. */
  readonly medians: readonly Repetition[];
  readonly rounds: number;
  /** Share of all cores that other programs took between the turns, 0 to 1. They hurt some contenders more than others. */
  readonly othersShare: number;
}

/**
 * Times one repetition of each contender. They take turns, A B C A B C …, so that a drifting machine slows all of them
 * alike, and each turn begins when nobody computes. What the others left behind (cold caches, threads asleep) makes the
 * first repetition of a turn up to twice as slow; it counts only where it fills the turn alone.
 */
export async function takeTurns(contenders: readonly Contender[], { rounds, budgetMs = Infinity }: TurnsOptions): Promise<Turns> {
  const samples = contenders.map(() => [] as Repetition[]);
  const pauses: Pause[] = [];
  const startMs = performance.now();
  let done = 0;
  while (done < rounds && (done < MIN_ROUNDS || performance.now() - startMs < budgetMs)) {
    for (const [i, contender] of contenders.entries()) {
      pauses.push(await quiet());
      const turn: Repetition[] = [];
      for (let spentMs = 0; spentMs < TURN_MS; spentMs += turn.at(-1)!.milliseconds) turn.push(await contender.repeat());
      samples[i]!.push(...(turn.length > 1 ? turn.slice(1) : turn));
      await contender.settle?.();
    }
    done++;
  }
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const share = sum(pauses.map(({ busyMs }) => busyMs)) / (cpus().length * sum(pauses.map(({ lengthMs }) => lengthMs)));
  // The system counts in ticks of 10 ms: few short pauses may hold more of them than there was time.
  return { medians: samples.map(medianOf), rounds: done, othersShare: Math.min(1, share) };
}

function medianOf(repetitions: readonly Repetition[]): Repetition {
  const cpu = repetitions.map(({ cpuMs }) => cpuMs).filter((cpuMs) => cpuMs !== null);
  return { milliseconds: median(repetitions.map(({ milliseconds }) => milliseconds)), cpuMs: cpu.length < repetitions.length ? null : median(cpu) };
}

/** What `work` takes. */
export async function timed(work: () => Promise<unknown>, cpuClock: () => number | null = () => null): Promise<Repetition> {
  const [startMs, startCpuMs] = [performance.now(), cpuClock()];
  await work();
  const [milliseconds, cpuMs] = [performance.now() - startMs, cpuClock()];
  return { milliseconds, cpuMs: cpuMs === null || startCpuMs === null ? null : cpuMs - startCpuMs };
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
  const busyStartMs = machineBusyMs();
  const { lengthMs, ownMs } = await untilQuiet();
  return { lengthMs, busyMs: Math.max(0, machineBusyMs() - busyStartMs - ownMs) };
}

/** Waits until this process's threads rest, and says how long that took and what they computed meanwhile. */
export async function untilQuiet(): Promise<{ lengthMs: number; ownMs: number }> {
  const [startMs, ownStart] = [performance.now(), process.cpuUsage()];
  for (let window = 1; ; window++) {
    const windowStart = process.cpuUsage();
    await sleep(WINDOW_MS);
    if (cpuSince(windowStart) < QUIET_CPU_MS || window === MAX_WINDOWS) return { lengthMs: performance.now() - startMs, ownMs: cpuSince(ownStart) };
  }
}

function cpuSince(start: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e3;
}

function machineBusyMs(): number {
  return cpus().reduce((total, { times }) => total + times.user + times.nice + times.sys + times.irq, 0);
}
