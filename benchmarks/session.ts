import { availableParallelism } from "node:os";
import { openCeilingProbes, type WebGpuDevice } from "@heddle/kernels";
import { interleave, timed, type Timing } from "./measure.ts";
import { ratesOf, type CeilingRates, type Row } from "./row.ts";
import type { Prepared, Work } from "./work.ts";

/** A sample shorter than this is noise; short works are repeated within one. */
const SAMPLE_MS = 30;
const MAX_REPEATS = 500;
/** Queueing takes JavaScript microseconds: many looks, of which the fastest is one that no other program interrupted. */
const JAVASCRIPT_RUNS = 300;
/** What the looks may take, with the works that they queue. */
const JAVASCRIPT_MS = 3000;

export interface Session {
  readonly ceilings: { readonly wall: CeilingRates; readonly cpu: CeilingRates | null };
  readonly rows: readonly Row[];
}

interface Ready {
  readonly work: Work;
  readonly prepared: Prepared;
  readonly repeats: number;
  readonly dispatches: number;
  readonly javascriptMicrosecondsPerDispatch: number | null;
}

/** Times all works and both ceilings in turn: every rate is held against a ceiling of the same minutes. */
export async function measure(device: WebGpuDevice, works: readonly Work[], rounds: number, progress: (name: string) => void): Promise<Session> {
  using probes = await openCeilingProbes(device.gpu);
  const ready: Ready[] = [];
  try {
    for (const work of works) {
      progress(`${work.name} ${work.shape}`);
      ready.push(await makeReady(device, work));
    }
    progress(`${rounds} rounds of ${works.length} works and the ceilings`);
    const samples = ready.map(({ prepared, repeats }) => () => repeat(device, prepared, repeats));
    const [multiplyAdd, copy, ...timings] = await interleave([() => probes.multiplyAdd.run(), () => probes.copy.run(), ...samples], rounds);
    const byCpu = device.gpu.profile.kind === "software";
    const ceiling = (clock: (timing: Timing) => number | null): CeilingRates | null => {
      const [arithmeticMs, copyMs] = [clock(multiplyAdd!), clock(copy!)];
      return arithmeticMs === null || copyMs === null ? null : { gflops: probes.multiplyAdd.units / arithmeticMs / 1e6, gbps: probes.copy.units / copyMs / 1e6 };
    };
    const cpuClock = ({ driverCpuMs }: Timing) => (byCpu && driverCpuMs !== null ? driverCpuMs / availableParallelism() : null);
    const ceilings = { wall: ceiling(({ wallMs }) => wallMs)!, cpu: ceiling(cpuClock) };
    const rows = ready.map(({ work, repeats, dispatches, javascriptMicrosecondsPerDispatch }, i) => {
      const cpuMs = cpuClock(timings[i]!);
      return {
        work: work.name,
        shape: work.shape,
        wall: ratesOf(work.flops, work.bytes, timings[i]!.wallMs / repeats, ceilings.wall),
        cpu: ceilings.cpu && cpuMs !== null ? ratesOf(work.flops, work.bytes, cpuMs / repeats, ceilings.cpu) : null,
        dispatches,
        javascriptMicrosecondsPerDispatch,
      };
    });
    return { ceilings, rows };
  } finally {
    for (const { prepared } of ready) prepared.dispose();
  }
}

async function makeReady(device: WebGpuDevice, work: Work): Promise<Ready> {
  const javascriptMicrosecondsPerDispatch = work.replayed && (await timeQueueing(device, work.replayed));
  const prepared = work.prepare(device);
  // Shaders are compiled here.
  await repeat(device, prepared, 1);
  const { dispatches: before } = device.traffic;
  const once = await timed(() => repeat(device, prepared, 1));
  const dispatches = device.traffic.dispatches - before;
  const elapsedMs = Math.max(0.01, once.driverCpuMs === null ? once.wallMs : Math.min(once.wallMs, once.driverCpuMs));
  const repeats = Math.min(MAX_REPEATS, Math.max(1, Math.round(SAMPLE_MS / elapsedMs)));
  return { work, prepared, repeats, dispatches, javascriptMicrosecondsPerDispatch };
}

/** Microseconds a dispatch. */
async function timeQueueing(device: WebGpuDevice, work: Work): Promise<number> {
  const prepared = work.prepare(device);
  await repeat(device, prepared, 1);
  let fastest = Infinity;
  const deadlineMs = performance.now() + JAVASCRIPT_MS;
  for (let run = 0; run < JAVASCRIPT_RUNS && performance.now() < deadlineMs; run++) {
    const { dispatches: before } = device.traffic;
    const startMs = performance.now();
    await prepared.queue();
    fastest = Math.min(fastest, (1e3 * (performance.now() - startMs)) / (device.traffic.dispatches - before));
    // On a software adapter, shaders of this run would take the processor from the next look.
    await device.finish();
  }
  prepared.dispose();
  return fastest;
}

async function repeat(device: WebGpuDevice, { queue }: Prepared, times: number): Promise<void> {
  for (let i = 0; i < times; i++) await queue();
  await device.finish();
}
