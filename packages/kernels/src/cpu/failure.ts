import { HeddleError } from "../errors.ts";

export const missing = (name: string, cause: unknown) =>
  new HeddleError("PACKAGE_MISSING", `[cpu] the package ${name} is not installed; add it with: npm install ${name}`, { cause });

/** What onnxruntime says, as an error with a code. */
export function failure({ message }: { message: string }): HeddleError {
  const memory = /bad_alloc|failed to allocate|out of memory|allocation failed/i.test(message);
  return new HeddleError(memory ? "OUT_OF_MEMORY" : "RUNTIME_FAILED", memory ? `[cpu] there is not enough memory for this run: smaller batches or shorter texts need less (${message})` : `[cpu] onnxruntime: ${message}`);
}
