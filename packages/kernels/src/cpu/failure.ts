import { HeddleError } from "../errors.ts";

/** onnxruntime-node's installer fetches CUDA's libraries on Linux, which this device has no use for. */
const WITHOUT_CUDA = ", with ONNXRUNTIME_NODE_INSTALL=skip in the environment";

export function missing(name: "onnxruntime-node" | "onnxruntime-web", cause: unknown): HeddleError {
  const hint = name === "onnxruntime-node" && process.platform === "linux" ? WITHOUT_CUDA : "";
  return new HeddleError("PACKAGE_MISSING", `[cpu] the package ${name} is not installed; add it with: npm install ${name}${hint}`, { cause });
}

/** What onnxruntime says, as an error with a code. */
export function failure({ message }: { message: string }): HeddleError {
  const memory = /bad_alloc|failed to allocate|out of memory|allocation failed/i.test(message);
  return new HeddleError(memory ? "OUT_OF_MEMORY" : "RUNTIME_FAILED", memory ? `[cpu] there is not enough memory for this run: smaller batches or shorter texts need less (${message})` : `[cpu] onnxruntime: ${message}`);
}
