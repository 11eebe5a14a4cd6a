import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { matmul } from "../ops/matmul/op.ts";
import { compile } from "../program/compile.ts";
import { hostTensor } from "../program/compile.ts";
import type { WebGpuDevice } from "../webgpu/device.ts";
import type { Trial } from "./choose.ts";
import { openDevice } from "./open.ts";

let cache: string;

beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), "heddle-choice-"));
  vi.stubEnv("XDG_CACHE_HOME", cache);
  vi.stubEnv("HEDDLE_DEVICE", "");
  return () => vi.unstubAllEnvs();
});

/** Counts its starts, as a choice made before needs none. */
function productTrial(key: string, size: number): Trial & { starts: string[] } {
  const starts: string[] = [];
  return {
    key,
    starts,
    start(device) {
      starts.push(device.kind);
      const product = compile(device, "trial", ({ a }) => ({ y: matmul(a!, a!) }));
      const a = hostTensor(new Float32Array(size * size), [size, size]);
      return { program: product.program({ a: { dtype: "f32", shape: a.shape } }), run: () => product.run({ a }), dispose: () => product.dispose() };
    },
  };
}

async function choose(trial?: Trial): Promise<{ kind: string; lines: string[] }> {
  const lines: string[] = [];
  const device = await openDevice({ trial, log: (line) => lines.push(line) });
  device.dispose();
  return { kind: device.kind, lines };
}

// These tests run where every adapter is a software one, as in CI.
describe("device auto without a GPU", () => {
  it("takes the CPU and says so in one line", async () => {
    const { kind, lines } = await choose();
    expect(kind).toBe("cpu");
    expect(lines).toEqual([expect.stringMatching(/^\[heddle\] CPU by onnxruntime-node.*no GPU here/)]);
  });

  it("measures the trial once, and remembers the choice in a file", async () => {
    const trial = productTrial("a product of 512 × 512", 512);
    const first = await choose(trial);
    expect(first.kind).toBe("cpu");
    expect(first.lines[0]).toMatch(/ms for a product of 512 × 512, where /);
    expect(trial.starts[0]).toBe("cpu");
    const { length } = trial.starts;
    const again = await choose(trial);
    expect(again.kind).toBe("cpu");
    expect(again.lines[0]).toContain("(measured before)");
    expect(trial.starts).toHaveLength(length);
    const stored = JSON.parse(readFileSync(join(cache, "heddle", "device-choices.json"), "utf8")) as Record<string, { kind: string }>;
    expect(Object.keys(stored).filter((key) => key.startsWith("a product of 512 × 512 | "))).toHaveLength(1);
  });

  it("passes a trial's failure on", async () => {
    const broken: Trial = { key: "broken", start: () => ({ program: null as never, run: () => Promise.reject(new Error("the trial failed")), dispose: () => {} }) };
    await expect(choose(broken)).rejects.toThrow("the trial failed");
  });
});

describe("an adapter that is named", () => {
  it("is taken, software or not", async () => {
    vi.stubEnv("HEDDLE_ADAPTER", "swiftshader");
    expect(await choose()).toEqual({ kind: "webgpu", lines: [] });
    vi.stubEnv("HEDDLE_ADAPTER", "no such adapter");
    await expect(choose()).rejects.toMatchObject({ code: "NO_ADAPTER", message: expect.stringContaining("no such adapter") as string });
  });

  it("comes with a device of the caller's", async () => {
    const own = await openDevice({ device: "webgpu" });
    const lines: string[] = [];
    const device = await openDevice({ gpuDevice: (own as WebGpuDevice).gpu.device, log: (line) => lines.push(line) });
    expect([device.kind, ...lines]).toEqual(["webgpu"]);
    device.dispose();
    own.dispose();
  });
});

describe("HEDDLE_DEVICE", () => {
  it("decides where no option does", async () => {
    vi.stubEnv("HEDDLE_DEVICE", "webgpu");
    expect(await choose()).toEqual({ kind: "webgpu", lines: [] });
  });
});

describe("a cache file that is no JSON", () => {
  it("costs a measurement, nothing else", async () => {
    vi.resetModules();
    const { rememberedChoice, rememberChoice } = await import("./choice-cache.ts");
    writeFileSync(join(cache, "heddle"), "a file where the folder should be");
    expect(await rememberedChoice("x")).toBeUndefined();
    await rememberChoice("x", { kind: "cpu", reason: "faster" });
    expect(await rememberedChoice("x")).toEqual({ kind: "cpu", reason: "faster" });
  });
});
