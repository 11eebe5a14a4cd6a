import type { Device } from "../device/device.ts";
import { HeddleError } from "../errors.ts";
import { designsOf, type Designs, type Site } from "../program/design.ts";
import { plan, type Command } from "../program/plan.ts";
import type { Program } from "../program/program.ts";
import { WebGpuDevice } from "../webgpu/device.ts";
import type { WebGpuState } from "../webgpu/state.ts";
import { Budget } from "./budget.ts";
import { chooseFastest, spent, type CandidateResult, type Undecided } from "./choose.ts";
import { siteCommands } from "./site-program.ts";
import { TrialSite } from "./trial.ts";
import { bucketOf, Winners, type Winner } from "./winners.ts";

/** What was measured for the nodes of one bucket. */
export interface TuneResult {
  /** Op and sizes, such as `matmul m512 n384 k1536`. */
  readonly bucket: string;
  /** The design that the adapter's class gets without tuning. */
  readonly shipped: string;
  readonly winner: string;
  /** The shipped design's time by the winner's. */
  readonly speedup: number;
  readonly candidates: readonly CandidateResult[];
}

export type TuneEvent =
  | { readonly type: "start"; readonly bucket: string; readonly done: number; readonly total: number }
  | { readonly type: "measured"; readonly result: TuneResult }
  | { readonly type: "skipped"; readonly bucket: string; readonly reason: string };

export interface TuneOptions {
  /** For compiling and measuring, in all. What does not fit in keeps its default until the next time. Default: 10,000. */
  readonly budgetMs?: number;
  /** Stops between two batches; nothing is kept then. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (event: TuneEvent) => void;
}

const BUDGET_MS = 10_000;

/** Measurements at the same time would measure each other. */
const busy = new WeakMap<WebGpuDevice, Promise<unknown>>();

/**
 * Measures the designs of every op of `program` that has several, in buckets that nobody has measured with this adapter, driver
 * and these kernels, the costliest first; keeps the winners. Programs prepared on this device from then on use them, and on
 * devices opened later.
 *
 * @param device opened for WebGPU with `tune` "cached" or "full"
 * @returns what was measured now
 * @throws INVALID_ARGUMENT for another device, DEVICE_LOST, the signal's reason
 */
export async function tuneProgram(device: Device, program: Program, options: TuneOptions = {}): Promise<TuneResult[]> {
  if (!(device instanceof WebGpuDevice) || !(device.designs instanceof Winners)) {
    throw new HeddleError("INVALID_ARGUMENT", `[tune] ${program.name}: ${device.description} was not opened for tuning; use openDevice({ device: "webgpu", tune: "cached" })`);
  }
  const winners = device.designs;
  const before = busy.get(device) ?? Promise.resolve();
  const turn = before.then(() => measure(device, winners, program, options));
  busy.set(device, turn.catch(() => {}));
  return turn;
}

async function measure(device: WebGpuDevice, winners: Winners, program: Program, { budgetMs = BUDGET_MS, signal, onProgress }: TuneOptions): Promise<TuneResult[]> {
  const sites = unknownSites(program, device, winners);
  if (sites.length === 0) return [];
  signal?.throwIfAborted();
  await device.finish();
  const budget = new Budget(budgetMs);
  const kept: [Site, Winner][] = [];
  const results: TuneResult[] = [];
  for (const [done, { site, work }] of sites.entries()) {
    const bucket = bucketOf(site);
    onProgress?.({ type: "start", bucket, done, total: sites.length });
    const result = await measureSite(device, site, work, bucket, budget, signal);
    if ("reason" in result) {
      onProgress?.({ type: "skipped", bucket, reason: result.reason });
      continue;
    }
    results.push(result);
    kept.push([site, { design: result.winner, speedup: result.speedup }]);
    onProgress?.({ type: "measured", result });
  }
  await winners.keep(kept);
  return results;
}

async function measureSite(device: WebGpuDevice, site: Site, work: number, bucket: string, budget: Budget, signal?: AbortSignal): Promise<TuneResult | Undecided> {
  if (budget.isSpent) return spent(budget);
  const designs = designsOf(site, device.gpu.profile);
  let trial: TrialSite | null = null;
  try {
    trial = new TrialSite(device, site, work);
    trial.fill();
    const choice = await chooseFastest(designs, (design) => trial!.open(design), { budget, signal });
    return "reason" in choice ? choice : { bucket, shipped: designs[0]!.name, ...choice };
  } catch (error) {
    // A tensor that does not fit a second time keeps its default.
    if (!HeddleError.isInstance(error) || (error.code !== "OUT_OF_MEMORY" && error.code !== "LIMIT_EXCEEDED")) throw error;
    return { reason: error.message };
  } finally {
    trial?.dispose();
  }
}

/** What there is to choose in a program and not known yet, one site of each kind, the costliest first. */
function unknownSites(program: Program, device: WebGpuDevice, winners: Winners): { site: Site; work: number }[] {
  const adapter = device.gpu.profile;
  const found = new Map<string, { site: Site; uses: number }>();
  const recorder: Designs = {
    of(site) {
      const [shipped, ...others] = designsOf(site, adapter);
      if (others.length > 0 && !winners.winner(site)) {
        const key = winners.keyOf(site);
        found.set(key, { site, uses: (found.get(key)?.uses ?? 0) + 1 });
      }
      return shipped!;
    },
  };
  plan(program, adapter, (state) => (state as WebGpuState).part, recorder);
  return [...found.values()]
    .map(({ site, uses }) => ({ site, uses, work: workOf(siteCommands(site, adapter, designsOf(site, adapter)[0]!)) }))
    .filter(({ work }) => work > 0)
    .sort((a, b) => b.work * b.uses - a.work * a.uses);
}

/** Arithmetic and bytes. */
function workOf(commands: readonly Command[]): number {
  return commands.reduce((total, command) => total + command.bytes + (command.kind === "dispatch" ? command.flops : 0), 0);
}
