import { HeddleError } from "../errors.ts";
import { failure, missing } from "./failure.ts";
import type { EngineHost } from "./host.ts";

/** Longest wait for a thread's call when the process ends, should the thread have died in it. */
const MAX_LAST_CALL_MS = 60_000;

interface Signals {
  /** 1 while the thread is in a call of onnxruntime. */
  readonly busy: Int32Array;
  /** 1 where it must not start another. */
  readonly stopping: Int32Array;
}

const open = new Set<Signals>();

/** process.exit waits for the call that each thread is in: the process would abort otherwise. */
function finishCalls(): void {
  for (const { stopping } of open) Atomics.store(stopping, 0, 1);
  for (const { busy } of open) Atomics.wait(busy, 0, 1, MAX_LAST_CALL_MS);
}

/** onnxruntime-node in a worker thread of its own, one computing thread for each core by default. */
export async function openInThread(threads: number | undefined): Promise<EngineHost> {
  const { Worker } = process.getBuiltinModule("node:worker_threads");
  // Beside this file in the sources, beside the bundle in the package. Bundlers for browsers must not follow it.
  const script = new URL(/* @vite-ignore */ "./worker.js", import.meta.url);
  const flag = () => new Int32Array(new SharedArrayBuffer(4));
  const signals = { busy: flag(), stopping: flag() };
  // The process's own flags are for its main program: a thread refuses some, such as --input-type, and needs none.
  const worker = new Worker(script, { name: "heddle-cpu", execArgv: [], workerData: signals });
  if (open.size === 0) process.once("exit", finishCalls);
  open.add(signals);
  const waiting = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>();
  let calls = 0;
  let gone: HeddleError | null = null;
  const end = (error: HeddleError) => {
    gone ??= error;
    for (const { reject } of waiting.values()) reject(gone);
    waiting.clear();
  };
  const lost = (reason: string, cause?: unknown) => new HeddleError("DEVICE_LOST", `[cpu] onnxruntime's thread ended: ${reason}; open the device again`, { cause });
  worker.on("error", (error: Error & { code?: string }) => end(error.code?.endsWith("MODULE_NOT_FOUND") ? moved(script, error) : lost(error.message, error)));
  worker.on("exit", (code) => {
    open.delete(signals);
    if (open.size === 0) process.off("exit", finishCalls);
    end(lost(`exit code ${code}`));
  });
  worker.on("message", ({ call, result, error }: { call: number; result?: unknown; error?: { message: string; code?: string } }) => {
    const { resolve, reject } = waiting.get(call)!;
    waiting.delete(call);
    // An idle worker does not keep the process alive.
    if (waiting.size === 0) worker.unref();
    if (error) reject(error.code === "ERR_MODULE_NOT_FOUND" ? missing("onnxruntime-node", error) : failure(error));
    else resolve(result);
  });
  const call = (method: string, ...args: unknown[]) =>
    new Promise((resolve, reject) => {
      if (gone) return reject(gone);
      waiting.set(calls, { resolve, reject });
      worker.ref();
      // A model is large and used once: it moves. Tensors are copied, as callers may change theirs.
      worker.postMessage({ call: calls++, method, args }, method === "createSession" ? [(args[1] as Uint8Array<ArrayBuffer>).buffer] : []);
    });
  await call("load").catch((error: unknown) => worker.terminate().then(() => Promise.reject(error)));
  return {
    packageName: "onnxruntime-node",
    stopsCopies: true,
    threads: threads ?? process.getBuiltinModule("node:os").availableParallelism(),
    call: call as EngineHost["call"],
    close: () => void call("close").catch(() => {}),
  };
}

const moved = (script: URL, cause: Error) =>
  new HeddleError("PACKAGE_MISSING", `[cpu] there is no ${script.pathname}, a file of @heddle/kernels: a bundle does not carry it along; mark @heddle/kernels as external in the bundler's settings`, { cause });
