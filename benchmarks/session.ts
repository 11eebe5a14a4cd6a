import { availableParallelism } from "node:os";
import { openCeilingProbes, type WebGpuDevice } from "@heddle/kernels";
import { interleave, javascriptCpuMs, timed, type Timing } from "./measure.ts";
import { ratesOf, type CeilingRates, type Row } from "./row.ts";
import type { Prepared, Work } from "./work.ts";

/** A sample shorter than this is noise; short works are repeated within one. */
const SAMPLE_MS = 30;
const MAX_REPEATS = 500;
/** Queued without a wait in between, in which the driver would be asked again and again whether it is done: fewer than a device's limit. */
const QUEUED_AT_ONCE = 60;
/** What timing JavaScript may take, with the work that it queues. */
const JAVASCRIPT_MS = 4000;

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

/** Microseconds a dispatch, by the CPU time of JavaScript's thread: shaders and other programs take the processor from it. */
async function timeQueueing(device: WebGpuDevice, work: Work): Promise<number> {
  const prepared = work.prepare(device);
  // Shaders are compiled here, and JavaScript made fast.
  await repeat(device, prepared, QUEUED_AT_ONCE / 2);
  const clock = () => javascriptCpuMs() ?? performance.now();
  const { dispatches: before } = device.traffic;
  let ms = 0;
  const deadlineMs = performance.now() + JAVASCRIPT_MS;
  do {
    const startMs = clock();
    for (let i = 0; i < QUEUED_AT_ONCE; i++) await prepared.queue();
    ms += clock() - startMs;
    await device.finish();
  } while (performance.now() < deadlineMs);
  prepared.dispose();
  return (1e3 * ms) / (device.traffic.dispatches - before);
}

async function repeat(device: WebGpuDevice, { queue }: Prepared, times: number): Promise<void> {
  for (let i = 0; i < times; i++) await queue();
  await device.finish();
}
