import { HeddleError } from "../errors.ts";

/** onnxruntime-node's installer fetches CUDA's libraries on Linux, which this device has no use for. */
const WITHOUT_CUDA = ", with ONNXRUNTIME_NODE_INSTALL=skip in the environment";

export function missing(name: "onnxruntime-node" | "onnxruntime-web", cause: unknown): HeddleError {
  const hint = name === "onnxruntime-node" && process.platform === "linux" ? WITHOUT_CUDA : "";
  return new HeddleError("PACKAGE_MISSING", `[cpu] the package ${name} is not installed; add it with: npm install ${name}${hint}`, { cause });
}

/** onnxruntime-web's script is a part of the page that did not arrive, or is not there to arrive. */
export function notLoaded(error: Error): HeddleError {
  // The words of Chrome, Firefox and Safari, in turn.
  if (!/fetch dynamically imported|loading dynamically imported|module script failed/i.test(error.message)) return missing("onnxruntime-web", error);
  return new HeddleError("RUNTIME_FAILED", `[cpu] onnxruntime-web did not load (${error.message}): check the connection, then load the page again`, { cause: error });
}

/** What onnxruntime says, as an error with a code. */
export function failure({ message }: { message: string }): HeddleError {
  if (/bad_alloc|failed to allocate|out of memory|allocation failed/i.test(message)) {
    const bytes = /buffer of size (\d+)/.exec(message)?.[1];
    const wanted = bytes === undefined ? "" : `, which wants ${(Number(bytes) / 2 ** 30).toFixed(1)} GiB in one piece`;
    return new HeddleError("OUT_OF_MEMORY", `[cpu] there is not enough memory for this run${wanted}: smaller batches or shorter texts need less`, { cause: new Error(message) });
  }
  if (message.startsWith("no available backend found")) {
    return new HeddleError("RUNTIME_FAILED", `[cpu] onnxruntime-web could not start. Its file ort-wasm-simd-threaded.wasm must lie beside its script, as bundlers put it; Vite's development server needs optimizeDeps: { exclude: ["onnxruntime-web"] } for that (${message})`);
  }
  return new HeddleError("RUNTIME_FAILED", `[cpu] onnxruntime: ${message}`);
}
