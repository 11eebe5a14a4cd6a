import { HeddleError } from "@heddle/kernels";

/**
 * Node's own modules, found at run time: this package is bundled for browsers too, where an `import "node:fs"` fails
 * to build even on a path that never runs.
 */
export function nodeModules(purpose: string): {
  fs: typeof import("node:fs/promises");
  path: typeof import("node:path");
  os: typeof import("node:os");
  crypto: typeof import("node:crypto");
} {
  if (!isNode()) {
    throw new HeddleError("NODE_REQUIRED", `[${purpose}] needs Node's file system, this is a browser: pass files or a URL instead of a path`);
  }
  return {
    fs: process.getBuiltinModule("node:fs/promises"),
    path: process.getBuiltinModule("node:path"),
    os: process.getBuiltinModule("node:os"),
    crypto: process.getBuiltinModule("node:crypto"),
  };
}

export function isNode(): boolean {
  return typeof process === "object" && typeof process.getBuiltinModule === "function";
}

/** The `code` of Node's file errors, e.g. "ENOENT". */
export function systemErrorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
