// @ts-check
// The worker thread of a CPU device in Node: onnxruntime-node blocks the thread that calls it, so that thread must not
// be the one that serves requests, draws progress and hears Ctrl-C.
import { parentPort, workerData } from "node:worker_threads";
import { Engine } from "./engine.js";

const port = /** @type {import("node:worker_threads").MessagePort} */ (parentPort);
/** @type {{ busy: Int32Array, stopping: Int32Array }} */
const { busy, stopping } = workerData;

/**
 * Work that the process may end before but not during: onnxruntime-node's binding aborts the process when its thread is
 * taken away in the middle of a call.
 *
 * @template T
 * @param {() => Promise<T>} work
 */
async function undivided(work) {
  Atomics.store(busy, 0, 1);
  try {
    if (Atomics.load(stopping, 0) === 0) return await work();
    throw new Error("the process ends");
  } finally {
    Atomics.store(busy, 0, 0);
    Atomics.notify(busy, 0);
  }
}

const engine = undivided(async () => {
  const ort = await import("onnxruntime-node");
  return new Engine(/** @type {never} */ (ort.default ?? ort), { fillsOutputs: true });
});
/** @type {Promise<unknown>} */
let last = engine.catch(() => {});

port.on("message", ({ call, method, args }) => {
  last = last.then(async () => {
    try {
      const own = await engine;
      const result = method === "load" ? undefined : await undivided(async () => own[/** @type {"run"} */ (method)](.../** @type {[never]} */ (args)));
      port.postMessage({ call, result }, buffersOf(result));
      if (method === "close") port.close();
    } catch (error) {
      const { message, code } = /** @type {Error & { code?: string }} */ (error);
      port.postMessage({ call, error: { message, code } });
    }
  });
});

/** @param {unknown} result */
function buffersOf(result) {
  return Object.values(result ?? {}).flatMap((value) => (ArrayBuffer.isView(value) && value.buffer instanceof ArrayBuffer ? [value.buffer] : []));
}
