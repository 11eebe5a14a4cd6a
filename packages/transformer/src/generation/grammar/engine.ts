import { HeddleError } from "@heddle/kernels";
import { isNode, nodeModules } from "../../checkpoint/source/node.ts";

/** XGrammar (Dong et al. 2024), compiled to WebAssembly: a megabyte that is loaded with the first schema only. */
export type GrammarEngine = typeof import("@mlc-ai/web-xgrammar");

let loaded: Promise<GrammarEngine> | undefined;

/** Errors: GRAMMAR_ENGINE_MISSING. */
export function loadGrammarEngine(): Promise<GrammarEngine> {
  return (loaded ??= (isNode() ? engineInNode() : engineInBrowser()).catch((cause: unknown) => {
    loaded = undefined;
    throw new HeddleError("GRAMMAR_ENGINE_MISSING", `[schema] @mlc-ai/web-xgrammar could not be loaded (${(cause as Error).message}): install it beside @heddle/transformer, and leave it out of bundles for Node`, { cause });
  }));
}

/** Where it gave up in the middle: the next call loads another. */
export function forgetGrammarEngine(): void {
  loaded = undefined;
}

let lastWords = "";

/** Why it gave up, where that is known. */
export const grammarEngineSays = (): string => lastWords.replace(/^\[FATAL\] \S+ (Check failed: \(.*\) is false: )?/, "");

/** The package says that it is a module and is a script, which leaves itself in a global variable. */
async function engineInBrowser(): Promise<GrammarEngine> {
  const module = await import("@mlc-ai/web-xgrammar");
  return "GrammarCompiler" in module ? module : (globalThis as unknown as { xgrammar: GrammarEngine }).xgrammar;
}

/** Node takes it for the module that it says it is, and it looks for `require`: so it is run as the script that it is (web-xgrammar 0.1.27). */
async function engineInNode(): Promise<GrammarEngine> {
  const { fs } = nodeModules("schema");
  const { createRequire } = process.getBuiltinModule("node:module");
  const require = createRequire(import.meta.url);
  const path = require.resolve("@mlc-ai/web-xgrammar");
  // A function made from a text may not import; what it imports is Node's own.
  const source = (await fs.readFile(path, "utf8")).replace("await import('module')", "require('module')");
  const script = new Function("module", "exports", "require", "__filename", "console", source);
  const module = { exports: {} };
  // It writes why it gives up, where the error that it throws says nothing.
  const hear = (line: string) => void (line.startsWith("[FATAL]") && (lastWords = line));
  script(module, module.exports, require, path, { log: hear, warn: hear, error: hear });
  return module.exports as GrammarEngine;
}
