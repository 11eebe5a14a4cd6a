import { HeddleError } from "@heddle/kernels";

/** Node's own modules, found at run time: this package is bundled for browsers too, where checkpoints on disk do not exist. */
export function nodeFiles(): { fs: typeof import("node:fs/promises"); path: typeof import("node:path") } {
  if (typeof process !== "object" || typeof process.getBuiltinModule !== "function") {
    throw new HeddleError("NODE_REQUIRED", `[Trainer] checkpoints need Node's file system, this is a browser: leave outputDir away and save the trained model yourself`);
  }
  return { fs: process.getBuiltinModule("node:fs/promises"), path: process.getBuiltinModule("node:path") };
}
