// The worker thread of a CPU device in Node: onnxruntime-node blocks the thread that calls it, so that thread must not
// be the one that serves requests, draws progress and hears Ctrl-C.
import { parentPort } from "node:worker_threads";
import { Engine } from "./engine.js";

const port = /** @type {import("node:worker_threads").MessagePort} */ (parentPort);
/** @type {Promise<Engine>} */
const engine = import("onnxruntime-node").then((ort) => new Engine(/** @type {never} */ (ort.default ?? ort), { fillsOutputs: true }));
engine.catch(() => {});
let last = Promise.resolve();

port.on("message", ({ call, method, args }) => {
  last = last.then(async () => {
    try {
      const result = method === "load" ? void (await engine) : await (await engine)[/** @type {"run"} */ (method)](.../** @type {[never]} */ (args));
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
