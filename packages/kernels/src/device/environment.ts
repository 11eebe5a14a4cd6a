/** `process` where there is one: Node, Deno, Bun. Undefined in a browser. */
export const hostProcess: NodeJS.Process | undefined = (globalThis as { process?: NodeJS.Process }).process;

/** The memory of this machine, or of the container that the process may fill; Infinity where nobody can tell, as in a browser. */
export function hostMemoryBytes(): number {
  const os = hostProcess?.getBuiltinModule?.("node:os");
  // 0 or no function where nothing limits the process.
  return os ? Math.min(os.totalmem(), hostProcess?.constrainedMemory?.() || Infinity) : Infinity;
}

/** An environment variable; undefined in a browser and where it is empty. */
export function environment(name: string): string | undefined {
  return hostProcess?.env?.[name] || undefined;
}
