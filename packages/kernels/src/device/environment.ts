/** `process` where there is one: Node, Deno, Bun. Undefined in a browser. */
export const hostProcess: NodeJS.Process | undefined = (globalThis as { process?: NodeJS.Process }).process;

/** An environment variable; undefined in a browser and where it is empty. */
export function environment(name: string): string | undefined {
  return hostProcess?.env?.[name] || undefined;
}
