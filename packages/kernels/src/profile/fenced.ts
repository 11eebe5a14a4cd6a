import { politely } from "../device/polite-wait.ts";
import { encodeDispatch, encodeTransfer, type RecordedCommand } from "../webgpu/recorded.ts";
import type { WebGpuDevice } from "../webgpu/device.ts";
import type { Times } from "./report.ts";

/** Long beside what a submission and its end cost, 1.2 ms in Chromium. */
const TARGET_MS = 20;
const MAX_REPEATS = 4096;
const EMPTY_RUNS = 5;

/**
 * Each command alone between two waits of the host, repeated until that is long enough to time, for adapters without
 * timestamps. Equal commands are timed once. Leaves nonsense in what the commands write.
 */
export async function timeFenced(device: WebGpuDevice, record: () => readonly RecordedCommand[], signal?: AbortSignal): Promise<Times> {
  const { gpu } = device;
  let expectedMs = 0;
  const time = async (encode: (encoder: GPUCommandEncoder) => void): Promise<number> => {
    signal?.throwIfAborted();
    const encoder = gpu.device.createCommandEncoder({ label: "profile" });
    encode(encoder);
    const startMs = performance.now();
    gpu.device.queue.submit([encoder.finish()]);
    await politely(gpu.profile, expectedMs);
    await gpu.guardLost(gpu.device.queue.onSubmittedWorkDone());
    return performance.now() - startMs;
  };
  let fenceMs = Infinity;
  for (let i = 0; i < EMPTY_RUNS; i++) fenceMs = Math.min(fenceMs, await time(() => {}));

  const known = new Map<string, number>();
  const times: { startMs: number; ms: number }[] = [];
  let startMs = 0;
  for (const [i, command] of record().entries()) {
    const key = keyOf(command);
    let ms = known.get(key);
    if (ms === undefined) {
      let repeats = 1;
      expectedMs = 0;
      let elapsedMs = await time((encoder) => encode(encoder, record()[i]!, repeats));
      while (elapsedMs < TARGET_MS + fenceMs && repeats < MAX_REPEATS) {
        repeats = Math.min(MAX_REPEATS, repeats * Math.min(16, Math.max(2, Math.ceil(TARGET_MS / elapsedMs))));
        elapsedMs = await time((encoder) => encode(encoder, record()[i]!, repeats));
        expectedMs = elapsedMs;
      }
      ms = Math.max(0, elapsedMs - fenceMs) / repeats;
      known.set(key, ms);
    }
    times.push({ startMs, ms });
    startMs += ms;
  }
  return times;
}

function encode(encoder: GPUCommandEncoder, command: RecordedCommand, repeats: number): void {
  if (command.kind !== "dispatch") {
    for (let i = 0; i < repeats; i++) encodeTransfer(encoder, command);
    return;
  }
  const pass = encoder.beginComputePass({ label: command.spec.kernel.label });
  for (let i = 0; i < repeats; i++) encodeDispatch(pass, command);
  pass.end();
}

function keyOf(command: RecordedCommand): string {
  if (command.kind !== "dispatch") return `${command.kind} ${command.bytes}`;
  const { kernel, workgroups, params, flops, bytes } = command.spec;
  return JSON.stringify([kernel.label, workgroups, params, flops, bytes]);
}
