import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { randomBits } from "../random.ts";

/** HEDDLE_KILLS=20 HEDDLE_KILL_DEVICE=webgpu (or cpu) for the long version. */
const kills = Number(process.env["HEDDLE_KILLS"] ?? 3);
const device = process.env["HEDDLE_KILL_DEVICE"] ?? "reference";
const seed = Number(process.env["HEDDLE_KILL_SEED"] ?? 1);
const script = fileURLToPath(new URL("../testing/killed-run.ts", import.meta.url));

interface Killed {
  /** The last step that was reported before the kill; the run may have been at the next one, or saving. */
  readonly lastLine: string;
  readonly finished: boolean;
}

/** Starts or resumes the run, and kills it some milliseconds after the given number of output lines. */
async function run(outputDir: string, weightsFile: string, kill: { afterLines: number; thenMs: number } | null): Promise<Killed> {
  const child = spawn(process.execPath, ["--conditions=@heddle/source", "--import", "tsx", script, outputDir, weightsFile, device], { stdio: ["ignore", "pipe", "pipe"] });
  let [lines, lastLine, errors] = [0, "", ""];
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  child.stdout.on("data", (chunk: Buffer) => {
    const news = chunk.toString().trimEnd().split("\n");
    lastLine = news.at(-1)!;
    const before = lines;
    lines += news.length;
    if (kill && before < kill.afterLines && lines >= kill.afterLines) setTimeout(() => child.kill("SIGKILL"), kill.thenMs);
  });
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  if (code !== 0 && signal !== "SIGKILL") throw new Error(`the run ended with ${code ?? signal}: ${errors}`);
  return { lastLine, finished: code === 0 };
}

it(`ends with the same weights after ${kills} × kill -9 (${device})`, { timeout: 60_000 + kills * 30_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "heddle-kill-"));
  try {
    const undisturbed = join(folder, "undisturbed.json");
    expect((await run(join(folder, "a"), undisturbed, null)).finished).toBe(true);
    const killed = join(folder, "killed.json");
    const log: string[] = [];
    for (let i = 0; i < kills; i++) {
      // 40 steps with a line each for the step and the save: spread over the kills, so that the run is not over before the last.
      const span = Math.max(2, Math.floor(75 / kills));
      const { lastLine, finished } = await run(join(folder, "b"), killed, { afterLines: 1 + (randomBits(seed, 7, i) % span), thenMs: randomBits(seed, 8, i) % 40 });
      log.push(lastLine);
      expect(finished, `killed at ${log.join(", ")}: the run was over before the kill`).toBe(false);
    }
    expect((await run(join(folder, "b"), killed, null)).finished).toBe(true);
    expect(JSON.parse(await readFile(killed, "utf8")), `killed at ${log.join(", ")}`).toEqual(JSON.parse(await readFile(undisturbed, "utf8")));
    expect((await readdir(join(folder, "b"))).sort()).toEqual(["checkpoint-39", "checkpoint-40"]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
