import { cpus } from "node:os";
import { WebGpuDevice } from "@heddle/kernels";
import { driverCpuMs } from "../measure.ts";
import type { PyTorch } from "./pytorch.ts";
import { assertAgreement, largestRelativeDifference } from "./agreement.ts";
import type { VersusRow } from "./row.ts";
import { takeTurns, timed } from "./turns.ts";
import type { Run } from "./work.ts";

/** Losses that must agree before anything is timed. */
const FIRST_LOSSES = 10;
const TOLERANCE = 1e-3;

/** One training, on Heddle and on PyTorch, from the same weights on the same batch. */
export interface TrainingComparison {
  readonly work: string;
  readonly shape: string;
  /** One whole step by Heddle; its loss. */
  step(): Promise<number>;
  /** Whether both sides must find the same losses: dropout draws numbers that differ. */
  readonly deterministic: boolean;
}

/** Milliseconds a step. PyTorch must have the work loaded and its batch set. */
export async function compareTraining(run: Run, { work, shape, step, deterministic }: TrainingComparison): Promise<VersusRow> {
  const { pytorch } = run;
  const device = await run.device();
  const software = device instanceof WebGpuDevice && device.gpu.profile.kind === "software";
  const differences = pytorch && deterministic ? { [pytorch.name]: largestRelativeDifference(await losses(step), await losses(() => lossOf(pytorch))) } : null;
  const agreement: VersusRow["agreement"] = differences && { measure: "largest relative difference of the first losses", tolerance: TOLERANCE, differences };
  if (agreement) assertAgreement(`${work} ${shape}`, agreement);
  // A first step plans the program.
  if (!agreement) await step();
  const contenders = [{ name: "Heddle", repeat: () => timed(step, software ? driverCpuMs : undefined) }, ...(pytorch ? [{ name: pytorch.name, repeat: async () => ({ milliseconds: (await pytorch.repeat()).milliseconds, cpuMs: null }) }] : [])];
  const { medians, rounds, othersShare } = await takeTurns(contenders, run);
  const [own, ...peers] = medians;
  return {
    work,
    shape,
    backend: device.kind,
    adapter: device.description,
    unit: "ms/step",
    higherIsBetter: false,
    heddle: own!.milliseconds,
    peers: Object.fromEntries(peers.map(({ milliseconds }, i) => [contenders[i + 1]!.name, milliseconds])),
    heddleByCpu: own!.cpuMs && own!.cpuMs / cpus().length,
    peersByCpu: {},
    agreement,
    rounds,
    othersShare,
    date: new Date().toISOString(),
  };
}

async function losses(step: () => Promise<number>): Promise<number[]> {
  const found: number[] = [];
  for (let i = 0; i < FIRST_LOSSES; i++) found.push(await step());
  return found;
}

async function lossOf(pytorch: PyTorch): Promise<number> {
  return (await pytorch.repeat()).loss!;
}
