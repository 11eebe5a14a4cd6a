import { HeddleError } from "../errors.ts";
import { failure, missing } from "./failure.ts";
import type { EngineHost } from "./host.ts";

/** onnxruntime-node in a worker thread of its own, one computing thread for each core by default. */
export async function openInThread(threads: number | undefined): Promise<EngineHost> {
  const { Worker } = process.getBuiltinModule("node:worker_threads");
  // Beside this file in the sources, beside the bundle in the package. Bundlers for browsers must not follow it.
  const script = new URL(/* @vite-ignore */ "./worker.js", import.meta.url);
  const worker = new Worker(script, { name: "heddle-cpu" });
  const waiting = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>();
  let calls = 0;
  let gone: HeddleError | null = null;
  const end = (reason: string, cause?: unknown) => {
    gone ??= new HeddleError("DEVICE_LOST", `[cpu] onnxruntime's thread ended: ${reason}; open the device again`, { cause });
    for (const { reject } of waiting.values()) reject(gone);
    waiting.clear();
  };
  worker.on("error", (error) => end(error.message, error));
  worker.on("exit", (code) => end(`exit code ${code}`));
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
    threads: threads ?? process.getBuiltinModule("node:os").availableParallelism(),
    call: call as EngineHost["call"],
    close: () => void call("close").catch(() => {}),
  };
}
