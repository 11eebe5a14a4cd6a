import { describe, expect, it } from "vitest";
import { ReferenceDevice } from "../reference/device.ts";
import { adamW } from "../ops/optimizer/adamw.ts";
import { matmul } from "../ops/matmul/op.ts";
import { mean } from "../ops/reduce/op.ts";
import { softmax } from "../ops/softmax/op.ts";
import { gradients } from "../program/autodiff.ts";
import { compile, hostTensor } from "../program/compile.ts";
import { asTensor, assign } from "../program/trace.ts";
import { randomTensor } from "../testing/check.ts";
import { testDevice } from "../testing/devices.ts";
import type { WebGpuDevice } from "../webgpu/device.ts";
import { toChromeTrace } from "./chrome-trace.ts";
import { profile } from "./profile.ts";

const device = (await testDevice()) as WebGpuDevice;
const methods = ["timestamps", "fenced"] as const;
const inputs = { x: randomTensor([24, 32], 1) };

/** A step that changes three states in place. */
function trainingStep() {
  const type = { dtype: "f32" as const, shape: [32, 16] };
  const [parameter, firstMoment, secondMoment] = ["parameter", "first", "second"].map((name, i) => device.createState(name, type, i === 0 ? (randomTensor([32, 16], 2).data as Float32Array) : undefined));
  const states = [parameter!, firstMoment!, secondMoment!];
  const step = compile(device, "step", ({ x }) => {
    const loss = mean(softmax(matmul(x!, parameter!)));
    adamW({ parameter: parameter!, gradient: gradients(loss, [parameter!])[0]!, firstMoment: firstMoment!, secondMoment: secondMoment!, learningRate: 0.01, biasCorrection1: 0.1, biasCorrection2: 0.001 });
    return { loss };
  });
  return {
    step,
    contents: () => device.readStates(states),
    [Symbol.dispose]() {
      step.dispose();
      for (const state of states) state.dispose();
    },
  };
}

describe("profile", () => {
  it.each(methods)("tells by %s what each kernel costs", async (method) => {
    using training = trainingStep();
    const report = await profile(training.step, inputs, { method });
    const before = device.traffic.dispatches;
    await training.step.run(inputs);
    expect(report).toMatchObject({ program: "step", adapter: device.description, method, dispatches: device.traffic.dispatches - before });
    expect(report.rows.reduce((calls, row) => calls + row.calls, 0)).toBe(report.spans.length);
    expect(report.rows.reduce((share, row) => share + row.share, 0)).toBeCloseTo(1);
    expect(report.rows.map(({ ms }) => ms)).toEqual(report.rows.map(({ ms }) => ms).sort((a, b) => b - a));
    expect(report.rows.some(({ label }) => label.startsWith("matmul/"))).toBe(true);
    expect(report.totalMs).toBeGreaterThan(0);
    expect(report.javascriptMs).toBeGreaterThan(0);
    expect(report.ceilings.multiplyAddGflops).toBeGreaterThan(0);
    expect(report.ceilings.copyGBps).toBeGreaterThan(0);
  });

  it.each(methods)("leaves by %s what one run leaves in the states", async (method) => {
    using once = trainingStep();
    await once.step.run(inputs);
    using profiled = trainingStep();
    await profile(profiled.step, inputs, { method });
    expect(await profiled.contents()).toEqual(await once.contents());
  });

  it.each(methods)("times by %s copies between states", async (method) => {
    const states = ["a", "b"].map((name, i) => device.createState(name, { dtype: "f32", shape: [5] }, new Float32Array(5).fill(i)));
    const [a, b] = states as [typeof states[0] & {}, typeof states[0] & {}];
    using swap = compile(device, "swap", () => {
      const [oldA, oldB] = [asTensor(a), asTensor(b)];
      assign(a, oldB);
      assign(b, oldA);
      return {};
    });
    const report = await profile(swap, {}, { method });
    expect(report.dispatches).toBe(0);
    expect(report.rows.map(({ label, calls }) => [label, calls])).toEqual([["copy", report.spans.length]]);
    expect(await device.readStates(states)).toEqual([new Float32Array(5).fill(1), new Float32Array(5)]);
    for (const state of states) state.dispose();
  });

  it("takes programs that need several query sets", async () => {
    using chain = compile(device, "chain", ({ x }) => {
      let y = x!;
      for (let i = 0; i < 2100; i++) y = softmax(y);
      return { y };
    });
    const { spans, rows, dispatches } = await profile(chain, { x: randomTensor([2, 3], 1) }, { method: "timestamps" });
    expect(dispatches).toBe(2100);
    expect(rows).toHaveLength(1);
    expect(spans.at(-1)!.startMs).toBeGreaterThan(spans[0]!.startMs);
  });

  it("takes a program that dispatches nothing", async () => {
    using identity = compile(device, "identity", ({ x }) => ({ x: x! }));
    const report = await profile(identity, inputs);
    expect(report).toMatchObject({ rows: [], spans: [], totalMs: 0, dispatches: 0 });
  });

  it("frees what it allocated", async () => {
    using training = trainingStep();
    await training.step.run(inputs);
    const before = device.memory.currentBytes;
    await profile(training.step, inputs);
    expect(device.memory.currentBytes).toBe(before);
  });

  it.each(methods)("stops by %s when told, with the states as before", async (method) => {
    using training = trainingStep();
    await training.step.run(inputs);
    const before = await training.contents();
    const controller = new AbortController();
    const stopped = profile(training.step, inputs, { method, signal: controller.signal });
    const submissions = device.traffic.submissions;
    const poll = setInterval(() => {
      if (device.traffic.submissions > submissions + 2) controller.abort();
    });
    await expect(stopped).rejects.toThrow("aborted");
    clearInterval(poll);
    expect(await training.contents()).toEqual(before);
  });

  it("says which devices have kernels to time", async () => {
    using f = compile(new ReferenceDevice(), "f", ({ x }) => ({ y: softmax(x!) }));
    await expect(profile(f, inputs)).rejects.toThrow('[profile] f was compiled for a device without kernels to time; choose webgpu, as openDevice({ device: "webgpu" }) or --device webgpu does');
  });

  it("wants the inputs that a run wants", async () => {
    using f = compile(device, "f", ({ x }) => ({ y: softmax(x!) }));
    await expect(profile(f, { x: hostTensor(new Float32Array(4), [2, 3]) })).rejects.toThrow("[f] input x says shape [2, 3], 6 elements, but its data has 4");
  });
});

describe("toChromeTrace", () => {
  it("lays the kernels of a run after the time it took to queue them", () => {
    const trace = toChromeTrace({
      program: "f",
      adapter: "an adapter",
      method: "timestamps",
      ceilings: { multiplyAddGflops: 100, copyGBps: 10 },
      rows: [],
      totalMs: 3,
      dispatches: 1,
      javascriptMs: 0.5,
      spans: [
        { label: "matmul", startMs: 0, ms: 2, workgroups: [4, 2, 1], flops: 4e6, bytes: 2e6 },
        { label: "copy", startMs: 2.5, ms: 0, workgroups: null, flops: 0, bytes: 32 },
      ],
    });
    expect(trace.traceEvents.filter(({ ph }) => ph === "X")).toEqual([
      { name: "queue 1 dispatches", ph: "X", cat: "host", pid: 1, tid: 1, ts: 0, dur: 500 },
      { name: "matmul", ph: "X", cat: "kernel", pid: 1, tid: 2, ts: 500, dur: 2000, args: { workgroups: "4 × 2 × 1", flops: 4e6, bytes: 2e6, gflops: 2, gbps: 1 } },
      { name: "copy", ph: "X", cat: "copy", pid: 1, tid: 2, ts: 3000, dur: 0, args: { flops: 0, bytes: 32 } },
    ]);
    expect(trace.traceEvents.filter(({ ph }) => ph === "M").map(({ args }) => args)).toEqual([{ name: "f" }, { name: "JavaScript" }, { name: "an adapter" }]);
    expect(JSON.parse(JSON.stringify(trace))).toEqual(trace);
  });
});
