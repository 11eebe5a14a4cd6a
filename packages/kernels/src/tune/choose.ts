import { HeddleError } from "../errors.ts";
import type { Design } from "../program/design.ts";
import type { Budget } from "./budget.ts";

/** One design of one site, made ready on a device. */
export interface Trial {
  /** Compiles and runs once, and resolves when that is done. Throws where the adapter does not take the kernel. */
  compile(): Promise<void>;
  /** Why the result is wrong; null where it is right. */
  check(): Promise<string | null>;
  /** Milliseconds of so many repetitions, queued at once. */
  time(repeats: number): Promise<number>;
  dispose(): void;
}

/** What became of a design, and how long one run takes where that was measured. */
export interface CandidateResult {
  readonly design: string;
  readonly outcome: "won" | "lost" | "wrong" | "failed" | "slow to compile";
  readonly ms?: number;
  /** Why it is out. */
  readonly reason?: string;
}

export interface Choice {
  readonly winner: string;
  /** The default's time by the winner's; 1 where the default won, or was wrong. */
  readonly speedup: number;
  readonly candidates: readonly CandidateResult[];
}

/** Why nothing was found out: the default stays, and the next time asks again. */
export interface Undecided {
  readonly reason: string;
}

/** Shorter batches measure the queue and the clock. */
const MIN_BATCH_MS = 20;
const MAX_REPEATS = 4096;
const ROUNDS = 8;
const MIN_ROUNDS = 4;
/** A design that takes this many times as long as another need not race, however busy the machine. */
const HOPELESS = 3;
/** The default stays unless another is faster by this much, and in every round but one of `ROUNDS`: noise changes nothing. */
const MARGIN = 1.03;
/** A design that much faster at its best should have won: where it did not, nothing is known. */
const UNDECIDED = 1.2;
/** Share of the budget that compiling one design may take. */
const COMPILE_SHARE = 0.25;

interface Runner {
  readonly design: string;
  readonly trial: Trial;
  repeats: number;
  /** Of one run, the least of all batches: what else runs on the machine only adds. */
  ms: number;
  /** Of one run, by round. */
  readonly rounds: number[];
}

/**
 * The fastest of the designs that give right results; the first, unless another is clearly faster.
 *
 * @param designs the default first
 * @param open a design's trial, disposed before this returns
 * @throws the signal's reason; DEVICE_LOST and DISPOSED from trials. Any other error puts its design out, with the reason
 */
export async function chooseFastest<D extends Design>(designs: readonly D[], open: (design: D) => Trial, { budget, signal }: { budget: Budget; signal?: AbortSignal }): Promise<Choice | Undecided> {
  const runners: Runner[] = [];
  const out = new Map<string, CandidateResult>();
  const trials: Trial[] = [];
  try {
    for (const design of designs) {
      signal?.throwIfAborted();
      if (budget.isSpent) return spent(budget);
      const trial = open(design);
      trials.push(trial);
      // The default is compiled anyway where nothing is measured.
      const compileLimitMs = design === designs[0] ? Infinity : COMPILE_SHARE * budget.totalMs;
      const admitted = await admit(design.name, trial, { budget, compileLimitMs, signal });
      if ("outcome" in admitted) out.set(design.name, admitted);
      else runners.push(admitted);
    }
    // The default always races: it gives way to nothing but a fair comparison.
    const contenders = runners.filter(({ design, ms }) => design === designs[0]!.name || ms <= HOPELESS * Math.min(...runners.map((other) => other.ms)));
    if (contenders.length > 1) await race(contenders, budget, signal);
    if (contenders.some(({ rounds }) => contenders.length > 1 && rounds.length < MIN_ROUNDS)) return spent(budget);
    return decide(designs.map(({ name }) => name), runners, out);
  } finally {
    for (const trial of trials) trial.dispose();
  }
}

/** A design that is right, with its first batch, or why it is out. */
async function admit(design: string, trial: Trial, { budget, compileLimitMs, signal }: { budget: Budget; compileLimitMs: number; signal?: AbortSignal }): Promise<Runner | CandidateResult> {
  try {
    const compileMs = await budget.timed(() => trial.compile());
    signal?.throwIfAborted();
    if (compileMs > compileLimitMs) {
      return { design, outcome: "slow to compile", reason: `compiling took ${compileMs.toFixed(0)} ms, and may take ${compileLimitMs.toFixed(0)} ms of the budget` };
    }
    const problem = await trial.check();
    return problem === null ? await settle(design, trial) : { design, outcome: "wrong", reason: problem };
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    if (!HeddleError.isInstance(error) || error.code === "DEVICE_LOST" || error.code === "DISPOSED") throw error;
    return { design, outcome: "failed", reason: error.message };
  }
}

/** Doubles the repetitions until a batch is long enough, twice: one alone may have waited for something else on the machine. */
async function settle(design: string, trial: Trial): Promise<Runner> {
  let repeats = 1;
  for (;;) {
    const firstMs = await trial.time(repeats);
    const leastMs = firstMs < MIN_BATCH_MS ? firstMs : Math.min(firstMs, await trial.time(repeats));
    if (leastMs >= MIN_BATCH_MS || repeats === MAX_REPEATS) return { design, trial, repeats, ms: leastMs / repeats, rounds: [] };
    // Straight to where the batch says, but never more than sixteenfold: the first ones measure little.
    repeats = Math.min(MAX_REPEATS, repeats * Math.min(16, 2 ** Math.max(1, Math.ceil(Math.log2(MIN_BATCH_MS / leastMs)))));
  }
}

/** Batches in turn, A B C A B C …, so that a machine that slows down slows all. */
async function race(runners: readonly Runner[], budget: Budget, signal?: AbortSignal): Promise<void> {
  for (let round = 0; round < ROUNDS && !budget.isSpent; round++) {
    for (const runner of runners) {
      signal?.throwIfAborted();
      const ms = (await runner.trial.time(runner.repeats)) / runner.repeats;
      runner.rounds.push(ms);
      runner.ms = Math.min(runner.ms, ms);
    }
  }
}

export const spent = ({ totalMs }: Budget): Undecided => ({ reason: `the budget of ${totalMs} ms was spent` });

function decide(designs: readonly string[], runners: readonly Runner[], out: ReadonlyMap<string, CandidateResult>): Choice | Undecided {
  const byTime = [...runners].sort((a, b) => a.ms - b.ms);
  const shipped = runners.find(({ design }) => design === designs[0]);
  const winner = byTime.find((runner) => runner === shipped || !shipped || beats(runner, shipped));
  if (!winner) return { reason: `no design gave a right result: ${[...out.values()].map(({ design, reason }) => `${design}: ${reason}`).join("; ")}` };
  const [fastest] = byTime;
  if (winner === shipped && shipped.ms > UNDECIDED * fastest!.ms) {
    return { reason: `${fastest!.design} took ${(shipped.ms / fastest!.ms).toFixed(1)} times less than ${shipped.design} at its best, but not always: the machine is too busy to tell` };
  }
  const result = (design: string): CandidateResult => {
    const runner = runners.find((other) => other.design === design);
    return runner ? { design, outcome: runner === winner ? "won" : "lost", ms: runner.ms } : out.get(design)!;
  };
  return { winner: winner.design, speedup: shipped ? shipped.ms / winner.ms : 1, candidates: designs.map(result) };
}

function beats(runner: Runner, shipped: Runner): boolean {
  const slower = runner.rounds.filter((ms, round) => ms * MARGIN > shipped.rounds[round]!).length;
  return runner.rounds.length > 0 && shipped.ms >= MARGIN * runner.ms && slower <= (runner.rounds.length === ROUNDS ? 1 : 0);
}
