import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { tinyCsv, tinyTraining } from "../testing/reviews.ts";
import { onInterrupt } from "./interrupt.ts";

describe("onInterrupt", () => {
  afterEach(() => void vi.useRealTimers());

  it("takes two signals at once for one key, and a later one for a second key", () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    const exit = vi.fn<(code: number) => void>();
    const host = Object.assign(new EventEmitter(), { exit });
    const { signal, stopListening } = onInterrupt(host as object as NodeJS.Process);
    host.emit("SIGINT");
    host.emit("SIGINT");
    expect([signal.aborted, exit.mock.calls]).toEqual([true, []]);
    vi.advanceTimersByTime(1000);
    host.emit("SIGINT");
    expect(exit.mock.calls).toEqual([[130]]);
    stopListening();
    expect(host.listenerCount("SIGINT") + host.listenerCount("SIGTERM")).toBe(0);
  });
});

describe("Ctrl-C in a real process", () => {
  let scratch: string;
  beforeEach(() => void (scratch = mkdtempSync(join(tmpdir(), "heddle-interrupt-"))));
  afterEach(() => rmSync(scratch, { recursive: true, force: true }));

  const start = (args: readonly string[]) => {
    const child = spawn(process.execPath, ["--conditions=@heddle/source", "--import", "tsx", fileURLToPath(new URL("../main.ts", import.meta.url)), ...args], { stdio: ["ignore", "pipe", "pipe"] });
    const texts = { out: "", err: "" };
    const ended = once(child, "close").then(([exitCode, signal]) => ({ exitCode: exitCode as number | null, signal: signal as string | null, ...texts }));
    const until = (wanted: string): Promise<void> =>
      new Promise((resolve) => {
        child.stdout.on("data", (chunk: Buffer) => {
          texts.out += chunk.toString();
          if (texts.out.includes(wanted)) resolve();
        });
        child.stderr.on("data", (chunk: Buffer) => (texts.err += chunk.toString()));
        void ended.then(() => resolve());
      });
    return { child, ended, until };
  };

  it("saves and ends with 130; the same command with --resume goes on to the end", async () => {
    const data = join(scratch, "reviews.csv");
    const output = join(scratch, "model");
    writeFileSync(data, tinyCsv);
    const args = ["train", "--data", data, "--text", "text", "--label", "label", "--output", output, ...tinyTraining, "--max-steps", "6", "--json"];
    const first = start(args);
    await first.until('"type":"evaluation"');
    first.child.kill("SIGINT");
    const stopped = await first.ended;
    expect([stopped.exitCode, stopped.signal], stopped.err).toEqual([130, null]);
    expect(stopped.err).toContain("--resume");
    expect(readdirSync(output)).toEqual(["checkpoints"]);
    const second = start([...args, "--resume"]);
    await second.until('"type":"result"');
    const done = await second.ended;
    expect(done.exitCode, done.err).toBe(0);
    expect(JSON.parse(done.out.trimEnd().split("\n").at(-1)!)).toMatchObject({ type: "result", steps: 6 });
    expect(existsSync(join(output, "model.safetensors"))).toBe(true);
  });
});
