import { describe, expect, it } from "vitest";
import type { State } from "../device/device.ts";
import { add, mul } from "../ops/elementwise/arithmetic.ts";
import { slice } from "../ops/movement/slice.ts";
import { compile } from "../program/compile.ts";
import { asTensor, assign } from "../program/trace.ts";
import { randomTensor } from "../testing/check.ts";
import { testDevice } from "../testing/devices.ts";
import type { WebGpuDevice } from "./device.ts";
import type { WebGpuState } from "./state.ts";

const device = (await testDevice()) as WebGpuDevice;
const specs = [[3], [7, 9], [], [256]].map((shape, i) => ({ name: `s${i}`, type: { dtype: "f32" as const, shape } }));
const contents = (states: readonly State[]) => device.readStates(states).then((all) => all.map((data) => [...data]));

describe("states made together", () => {
  it("share a buffer, begin as zeros and are written and read apart", async () => {
    const start = device.memory.currentBytes;
    const states = device.createStates(specs);
    expect(new Set(states.map((state) => (state as WebGpuState).buffer)).size).toBe(1);
    states[1]!.write(randomTensor([63], 1).data);
    states[2]!.write(Float32Array.of(5));
    expect(await contents(states)).toEqual([[0, 0, 0], [...randomTensor([63], 1).data], [5], [...new Float32Array(256)]]);
    expect((await contents([states[2]!]))[0]).toEqual([5]);
    for (const state of states) {
      expect(device.memory.currentBytes).toBeGreaterThan(start);
      state.dispose();
      state.dispose();
    }
    expect(device.memory.currentBytes).toBe(start);
  });

  it("are counted exactly by a plan", async () => {
    const start = device.memory.currentBytes;
    const states = device.createStates(specs);
    const f = compile(device, "all-states", () => {
      for (const state of states) assign(state, add(state, 1));
      return {};
    });
    await f.run({});
    await f.run({});
    expect(device.memory.currentBytes - start).toBe(f.plan({}).peakBytes);
    expect((await contents(states.slice(0, 1)))[0]).toEqual([2, 2, 2]);
    f.dispose();
    for (const state of states) state.dispose();
    expect(device.memory.currentBytes).toBe(start);
  });

  it("take each other's values, though WebGPU forbids a copy within a buffer", async () => {
    const [a, b, c, d] = device.createStates(["a", "b", "c", "d"].map((name) => ({ name, type: { dtype: "f32", shape: [2] } }))) as [State, State, State, State];
    [a, b, c, d].forEach((state, i) => state.write(Float32Array.of(i, 10 + i)));
    using turn = compile(device, "turn", () => {
      const old = [a, b, c].map((state) => asTensor(state));
      assign(b, old[0]!);
      assign(c, old[1]!);
      assign(a, old[2]!);
      // Not replaced itself, only read.
      assign(c, mul(asTensor(d), 2));
      return { d: asTensor(d) };
    });
    await turn.run({});
    expect(await contents([a, b, c, d])).toEqual([[2, 12], [0, 10], [6, 26], [3, 13]]);
    using same = compile(device, "same", () => {
      assign(a, asTensor(d));
      return {};
    });
    await same.run({});
    expect((await contents([a, d]))).toEqual([[3, 13], [3, 13]]);
    turn.dispose();
    same.dispose();
    for (const state of [a, b, c, d]) state.dispose();
  });

  it("show a part of what they were before the program replaced them", async () => {
    const [whole, part] = device.createStates([["whole", 192], ["part", 64]].map(([name, size]) => ({ name: name as string, type: { dtype: "f32", shape: [size as number] } }))) as [State, State];
    const before = randomTensor([192], 3).data;
    whole.write(before);
    using f = compile(device, "parts", () => {
      const old = asTensor(whole);
      const middle = slice(old, { axis: 0, begin: 64, end: 128 });
      assign(part, middle);
      assign(whole, mul(old, 2));
      return { middle, last: slice(old, { axis: 0, begin: 128, end: 192 }) };
    });
    const { middle, last } = await f.run({});
    expect(middle!.data).toEqual(before.slice(64, 128));
    expect(last!.data).toEqual(before.slice(128));
    expect(await contents([whole, part])).toEqual([Array.from(before, (x) => 2 * x), Array.from(before.slice(64, 128))]);
    for (const state of [whole, part]) state.dispose();
  });
});
