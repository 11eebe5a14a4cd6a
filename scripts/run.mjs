import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's root; every command below runs in it unless told otherwise. */
export const root = fileURLToPath(new URL("../", import.meta.url));

const binaries = join(root, "node_modules", ".bin");

/**
 * Runs a command to its end with this terminal's input and output, and gives back its exit code.
 * `node_modules/.bin` comes first in PATH: turbo needs a `pnpm`, and none is installed globally.
 * Ctrl-C reaches the child by itself (same terminal); this process waits for it to finish saving.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, output?: "now" | "at-end" | "on-failure" }} [options] output: when it is shown
 * @returns {Promise<number>}
 */
export function run(command, args, { cwd = root, env = {}, output: when = "now" } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      stdio: when === "now" ? "inherit" : ["ignore", "pipe", "pipe"],
      shell: process.platform === "win32",
      env: {
        ...process.env,
        PATH: `${binaries}${delimiter}${process.env.PATH ?? ""}`,
        TURBO_TELEMETRY_DISABLED: "1",
        TURBO_NO_UPDATE_NOTIFIER: "1",
        ...env,
      },
    });
    const output = [];
    child.stdout?.on("data", (chunk) => output.push(chunk));
    child.stderr?.on("data", (chunk) => output.push(chunk));
    const wait = () => undefined;
    const forward = () => child.kill("SIGTERM");
    process.on("SIGINT", wait);
    process.on("SIGTERM", forward);
    child.once("error", reject);
    child.once("close", (code, signal) => {
      process.off("SIGINT", wait);
      process.off("SIGTERM", forward);
      const exitCode = code ?? (signal === "SIGINT" ? 130 : 1);
      if (exitCode !== 0 || when === "at-end") for (const chunk of output) process.stderr.write(chunk);
      resolve(exitCode);
    });
  });
}

/** Runs one of node_modules/.bin's programs. */
export function runLocal(name, args, options) {
  const file = join(binaries, process.platform === "win32" ? `${name}.CMD` : name);
  if (!existsSync(file)) throw new Error(`node_modules/.bin/${name} is missing; run \`npm run setup\`.`);
  return run(file, args, options);
}
