import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { openDevice, type OpenDeviceOptions } from "../device/open.ts";
import { matmul } from "../ops/matmul/op.ts";
import { compile, hostTensor } from "../program/compile.ts";
import { type TracedFunction } from "../program/trace.ts";
import { expectClose, randomTensor, reference } from "../testing/check.ts";
import { doubled, doubling, FAST, INVALID, NAN, program, SLOW, WRONG, type DoubleDesign } from "../testing/doubling.ts";
import type { WebGpuDevice } from "../webgpu/device.ts";
import { tuneProgram, type TuneEvent } from "./tune-program.ts";

let folder: string;
const cache = () => join(folder, "heddle", "kernel-designs.json");
const cached = () => JSON.parse(readFileSync(cache(), "utf8")) as Record<string, { design: string }>;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "heddle-tune-"));
  // Mesa keeps its compiled shaders there too: it shall find them.
  vi.stubEnv("MESA_SHADER_CACHE_DIR", process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"));
  vi.stubEnv("XDG_CACHE_HOME", folder);
  return () => vi.unstubAllEnvs();
});

const open = async (options: OpenDeviceOptions = {}) => (await openDevice({ device: "webgpu", tune: "cached", ...options })) as WebGpuDevice;

/** The design that a program gets on a device. */
function designOn(device: WebGpuDevice, designs: readonly DoubleDesign[], options = {}): string {
  const lowered: string[] = [];
  device.prepare(program(doubling(designs, { ...options, lowered }))).dispose();
  return lowered.at(-1)!;
}

describe("tuneProgram", () => {
  it("keeps the fastest right design, for this device and for later ones", async () => {
    const designs = [SLOW, WRONG, NAN, INVALID, FAST];
    const device = await open();
    const { currentBytes } = device.memory;
    expect(designOn(device, designs)).toBe("slow");
    const events: TuneEvent[] = [];
    const results = await tuneProgram(device, program(doubling(designs)), { onProgress: (event) => events.push(event) });
    expect(results).toEqual([{ bucket: "double 1024", shipped: "slow", winner: "fast", speedup: expect.any(Number) as number, candidates: expect.any(Array) as never[] }]);
    expect(results[0]!.candidates.map(({ design, outcome }) => `${design} ${outcome}`)).toEqual(["slow lost", "wrong wrong", "nan wrong", "invalid failed", "fast won"]);
    expect(results[0]!.candidates[1]!.reason).toMatch(/^output 0 has .* is right$/);
    expect(events).toEqual([
      { type: "start", bucket: "double 1024", done: 0, total: 1 },
      { type: "measured", result: results[0] },
    ]);
    expect(designOn(device, designs)).toBe("fast");
    expect(device.memory.currentBytes).toBe(currentBytes);
    expect(await tuneProgram(device, program(doubling(designs)))).toEqual([]);
    device.dispose();

    const later = await open();
    expect(designOn(later, designs)).toBe("fast");
    // Another bucket, and changed kernels, are not known.
    expect(designOn(later, designs, { version: 2 })).toBe("slow");
    expect(designOn(later, [SLOW, FAST])).toBe("slow");
    later.dispose();
    const off = await open({ tune: "off" });
    expect(designOn(off, designs)).toBe("slow");
    await expect(tuneProgram(off, program(doubling(designs)))).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message: expect.stringContaining('tune: "cached"') as string });
    off.dispose();
  });

  it("holds large results against the naive design", async () => {
    const device = await open();
    const [result] = await tuneProgram(device, program(doubling([WRONG, FAST]), 3_000_000));
    expect(result!.candidates.map(({ outcome }) => outcome)).toEqual(["wrong", "won"]);
    device.dispose();
  });

  it("leaves a program alone that has nothing to choose", async () => {
    const device = await open();
    expect(await tuneProgram(device, program(doubling([WRONG])))).toEqual([]);
    expect(await tuneProgram(device, program(doubling([SLOW, FAST]), 0))).toEqual([]);
    device.dispose();
  });

  it("says what the budget left out, and measures it the next time", async () => {
    const device = await open();
    const events: TuneEvent[] = [];
    expect(await tuneProgram(device, program(doubling([SLOW, FAST])), { budgetMs: 0, onProgress: (event) => events.push(event) })).toEqual([]);
    expect(events.at(-1)).toEqual({ type: "skipped", bucket: "double 1024", reason: "the budget of 0 ms was spent" });
    expect(await tuneProgram(device, program(doubling([SLOW, FAST])))).toHaveLength(1);
    device.dispose();
  });

  it("leaves the cache as it was when it is stopped, or the device goes away", async () => {
    mkdirSync(join(folder, "heddle"));
    writeFileSync(cache(), "{}");
    const device = await open();
    const { currentBytes } = device.memory;
    const controller = new AbortController();
    const stopped = tuneProgram(device, program(doubling([SLOW, FAST])), { signal: controller.signal, onProgress: () => controller.abort(new Error("enough")) });
    await expect(stopped).rejects.toThrow("enough");
    expect(device.memory.currentBytes).toBe(currentBytes);
    const lost = tuneProgram(device, program(doubling([SLOW, FAST])), { onProgress: () => device.gpu.device.destroy() });
    await expect(lost).rejects.toMatchObject({ code: "DEVICE_LOST" });
    expect(readFileSync(cache(), "utf8")).toBe("{}");
    device.dispose();
  });

  it.each(["cut off {", '{"x": {"design": 7}}'])("takes a cache of %j for an empty one", async (text) => {
    mkdirSync(join(folder, "heddle"));
    writeFileSync(cache(), text);
    const device = await open();
    expect(designOn(device, [SLOW, FAST])).toBe("slow");
    await tuneProgram(device, program(doubling([SLOW, FAST])));
    expect(Object.values(cached())).toMatchObject([{ design: "fast" }]);
    device.dispose();
  });

  it("ignores a winner that is no design of the op", async () => {
    const device = await open();
    await tuneProgram(device, program(doubling([SLOW, FAST])));
    device.dispose();
    writeFileSync(cache(), readFileSync(cache(), "utf8").replace('"fast"', '"../../etc"'));
    const later = await open();
    expect(designOn(later, [SLOW, FAST])).toBe("slow");
    later.dispose();
  });
});

describe('tune: "full"', () => {
  it("measures before the first run, once, and changes no result", async () => {
    const events: TuneEvent[] = [];
    const device = await open({ tune: "full", onTune: (event) => events.push(event) });
    const op = doubling([SLOW, FAST]);
    const fn = doubled(op);
    const x = randomTensor([1000], 1);
    using f = compile(device, "double", fn);
    expect(f.plan({ x: { dtype: "f32", shape: [1000] } }).peakBytes).toBeGreaterThan(0);
    const [first, second] = await Promise.all([f.run({ x }), f.run({ x })]);
    expect(events.filter(({ type }) => type === "measured")).toHaveLength(1);
    expectClose(first["y"]!.data, reference(fn, { x })["y"]!.data, 1e-6, "y");
    expect(second).toEqual(first);
    await f.warmup([{ x: { dtype: "f32", shape: [1024] } }]);
    expect(events.filter(({ type }) => type === "measured")).toHaveLength(1);
    expect(Object.values(cached())).toMatchObject([{ design: "fast" }]);
    device.dispose();
  });

  it("gives products the same results", async () => {
    const device = await open({ tune: "full", tuneBudgetMs: 2000 });
    const inputs = { a: randomTensor([48, 64], 1), b: randomTensor([64, 80], 2) };
    const product: TracedFunction = ({ a, b }) => ({ y: matmul(a!, b!) });
    using f = compile(device, "product", product);
    expectClose((await f.run(inputs))["y"]!.data, reference(product, inputs)["y"]!.data, 1e-5, "y");
    device.dispose();
  });

  it("stops with the run that asked for it", async () => {
    const device = await open({ tune: "full" });
    using f = compile(device, "double", doubled(doubling([SLOW, FAST])));
    const x = hostTensor(new Float32Array(1000));
    await expect(f.run({ x }, { signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow("enough");
    expect((await f.run({ x }))["y"]!.data).toEqual(x.data);
    device.dispose();
  });

  it("is set by HEDDLE_TUNE, and only to what there is", async () => {
    vi.stubEnv("HEDDLE_TUNE", "full");
    const device = await open({ tune: undefined });
    expect(device.measureFor).toBeDefined();
    device.dispose();
    vi.stubEnv("HEDDLE_TUNE", "always");
    await expect(open({ tune: undefined })).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message: expect.stringMatching(/"always".*off, cached, full/) as string });
  });
});
