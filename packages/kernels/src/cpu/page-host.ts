import { failure, notLoaded } from "./failure.ts";
import type { EngineHost, EngineMethod } from "./host.ts";

/**
 * onnxruntime-web on the thread that calls it. It has one number of threads for all devices of a page, settled by the
 * first one: half of the cores, at most 4, by default. Browsers give threads to cross-origin isolated pages only.
 */
export async function openInPage(threads: number | undefined): Promise<EngineHost> {
  const [{ Engine }, ort] = await Promise.all([import("./engine.js"), import("onnxruntime-web/wasm").catch((error: Error) => Promise.reject(notLoaded(error)))]);
  const { wasm } = ort.env;
  wasm.numThreads ||= globalThis.crossOriginIsolated ? (threads ?? Math.min(4, Math.ceil(navigator.hardwareConcurrency / 2))) : 1;
  const engine = new Engine(ort as never, { fillsOutputs: false });
  let last: Promise<unknown> = Promise.resolve();
  const call = (method: EngineMethod, ...args: unknown[]) => {
    // Callers may change their tensors before their turn comes. A model is nobody else's.
    const own = method === "createSession" ? args : structuredClone(args);
    const result = last
      .then(async () => {
        if (method === "run") await turn();
        return (engine[method] as (...args: unknown[]) => unknown)(...own);
      })
      .catch((error: unknown) => Promise.reject(failure(error as Error)));
    last = result.catch(() => {});
    return result;
  };
  return {
    packageName: "onnxruntime-web",
    stopsCopies: false,
    // It corrects the number when it starts.
    get threads() {
      return wasm.numThreads!;
    },
    call: call as EngineHost["call"],
    close: () => void call("close"),
  };
}

/** Lets the thread hear its messages and events: onnxruntime-web computes without a pause, and promises alone never let go. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
