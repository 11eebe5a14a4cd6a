import { hostProcess } from "../device/environment.ts";
import { HeddleError } from "../errors.ts";
import type { Engine } from "./engine.js";

/** The engine behind a door: a worker thread in Node, the same thread in a browser. Calls are answered in order. */
export interface EngineHost {
  call<M extends EngineMethod>(method: M, ...args: Parameters<Engine[M]>): Promise<Awaited<ReturnType<Engine[M]>>>;
  /** Frees everything; calls still waiting are answered first. */
  close(): void;
}

type EngineMethod = "createSession" | "releaseSession" | "createState" | "writeState" | "readStates" | "releaseState" | "run" | "close";

/** Throws PACKAGE_MISSING where onnxruntime is not installed. */
export async function openEngine(): Promise<EngineHost> {
  return hostProcess?.versions?.node === undefined ? openInline() : openWorker();
}

async function openInline(): Promise<EngineHost> {
  const [{ Engine }, ort] = await Promise.all([import("./engine.js"), import("onnxruntime-web/wasm").catch((error: unknown) => Promise.reject(missing("onnxruntime-web", error)))]);
  const engine = new Engine(ort as never);
  let last: Promise<unknown> = Promise.resolve();
  const call = (method: EngineMethod, ...args: unknown[]) => {
    const result = last.then(async () => (engine[method] as (...args: unknown[]) => unknown)(...args)).catch((error: unknown) => Promise.reject(failure(error as Error)));
    last = result.catch(() => {});
    return result;
  };
  return { call: call as EngineHost["call"], close: () => void call("close") };
}

async function openWorker(): Promise<EngineHost> {
  const { Worker } = await import("node:worker_threads");
  const worker = new Worker(new URL("./worker.js", import.meta.url), { name: "heddle-cpu" });
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
  return { call: call as EngineHost["call"], close: () => void call("close").catch(() => {}) };
}

const missing = (name: string, cause: unknown) =>
  new HeddleError("PACKAGE_MISSING", `[cpu] the package ${name} is not installed; add it with: npm install ${name}`, { cause });

function failure({ message }: { message: string }): HeddleError {
  const memory = /bad_alloc|failed to allocate|out of memory|allocation failed/i.test(message);
  return new HeddleError(memory ? "OUT_OF_MEMORY" : "RUNTIME_FAILED", memory ? `[cpu] there is not enough memory for this run: smaller batches or shorter texts need less (${message})` : `[cpu] onnxruntime: ${message}`);
}
