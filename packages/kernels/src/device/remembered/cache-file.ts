import { environment, hostProcess } from "../environment.ts";
import type { StoredText } from "./remembered.ts";

let written = 0;

/** A file of `heddle/` in the user's cache folder. It is replaced by renaming: a process that dies while it writes leaves the old one. */
export function cacheFile(name: string): StoredText {
  const path = async () => {
    const [{ homedir }, { join }] = await Promise.all([import("node:os"), import("node:path")]);
    return join(environment("XDG_CACHE_HOME") ?? join(homedir(), ".cache"), "heddle", name);
  };
  const read = async () => {
    const { readFile } = await import("node:fs/promises");
    return readFile(await path(), "utf8").catch(() => null);
  };
  return {
    read,
    async update(change) {
      const { mkdir, rename, rm, writeFile } = await import("node:fs/promises");
      const { dirname } = await import("node:path");
      const file = await path();
      const unfinished = `${file}.${hostProcess!.pid}.${written++}`;
      await mkdir(dirname(file), { recursive: true });
      const text = change(await read());
      try {
        await writeFile(unfinished, text);
        await rename(unfinished, file);
      } catch (error) {
        await rm(unfinished, { force: true });
        throw error;
      }
    },
  };
}
