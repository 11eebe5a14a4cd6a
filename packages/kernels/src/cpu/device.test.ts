import { afterAll, describe, expect, it, vi } from "vitest";
import { add, mul, sub } from "../ops/elementwise/arithmetic.ts";
import { matmul } from "../ops/matmul/op.ts";
import { pad, slice } from "../ops/movement/slice.ts";
import { sum } from "../ops/reduce/op.ts";
import { topK } from "../ops/topk/op.ts";
import { compile, hostTensor } from "../program/compile.ts";
import type { Tensor } from "../program/tensor.ts";
import { assign } from "../program/trace.ts";
import { ReferenceDevice } from "../reference/device.ts";
import { expectClose, randomTensor } from "../testing/check.ts";
import { CpuDevice } from "./device.ts";
import { Session } from "./session.ts";

const device = await CpuDevice.open({ threads: 1 });
afterAll(() => device.dispose());

/** How many graphs onnxruntime was given while `work` ran. */
async function graphsMade(work: () => Promise<unknown>): Promise<number> {
  const call = vi.spyOn(device.engine, "call");
  try {
    await work();
    return call.mock.calls.filter(([method]) => (method as string) === "createSession").length;
  } finally {
    call.mockRestore();
  }
}

describe("sessions", () => {
  it("are shared by all shapes from the second on, also where padding fills up to a fixed length", async () => {
    const weight = device.createState("weight", { dtype: "f32", shape: [4, 3] }, randomTensor([4, 3], 1).data);
    using fn = compile(device, "shapes", ({ x }) => ({ y: matmul(x!, weight), padded: pad(x!, { axis: 0, after: 64 - x!.shape[0]! }) }));
    const reference = new ReferenceDevice();
    const same = reference.createState("weight", weight.type, randomTensor([4, 3], 1).data);
    using wanted = compile(reference, "shapes", ({ x }) => ({ y: matmul(x!, same), padded: pad(x!, { axis: 0, after: 64 - x!.shape[0]! }) }));
    const made = await graphsMade(async () => {
      for (const rows of [5, 8, 13, 1, 64, 5, 8]) {
        const x = randomTensor([rows, 4], rows);
        const [actual, expected] = [await fn.run({ x }), await wanted.run({ x })];
        for (const name of ["y", "padded"]) {
          expect(actual[name]!.shape).toEqual(expected[name]!.shape);
          expectClose(actual[name]!.data, expected[name]!.data, 1e-6, `${name} of ${rows} rows`);
        }
      }
    });
    // One for 5 rows, one for any number; 64 rows pad nothing, which is another program.
    expect(made).toBe(3);
    weight.dispose();
  });

  it("of shapes that follow no rule are found again, not tried again", async () => {
    const half = (x: Tensor) => slice(x, { axis: 0, begin: 0, end: Math.ceil(x.shape[0]! / 2) });
    using fn = compile(device, "halves", ({ x }) => ({ y: mul(half(x!), 2) }));
    const run = async (rows: number) => [...(await fn.run({ x: hostTensor(Float32Array.from({ length: rows }, (_, i) => i)) }))["y"]!.data];
    for (const rows of [4, 7, 9]) expect(await run(rows)).toEqual(Array.from({ length: Math.ceil(rows / 2) }, (_, i) => 2 * i));
    const asked = vi.spyOn(Session.prototype, "isFor");
    expect(await graphsMade(async () => { for (const rows of [9, 4, 7, 9]) await run(rows); })).toBe(0);
    expect(asked).not.toHaveBeenCalled();
    asked.mockRestore();
  });

  it("that could not be made are made anew, for the shape that asks", async () => {
    using fn = compile(device, "anew", ({ x }) => ({ y: mul(x!, 2) }));
    const call = vi.spyOn(device.engine, "call").mockRejectedValueOnce(new Error("no memory"));
    const run = (rows: number) => fn.run({ x: hostTensor(new Float32Array(rows).fill(rows)) });
    await expect(run(3)).rejects.toThrow("no memory");
    call.mockRestore();
    for (const rows of [5, 3, 7]) expect([...(await run(rows))["y"]!.data]).toEqual(new Array<number>(rows).fill(2 * rows));
  });

  it("of an empty batch stand alone", async () => {
    using fn = compile(device, "empty", ({ x }) => ({ ...topK(x!, 2), total: sum(x!) }));
    for (const rows of [3, 0, 4]) {
      const { values, total } = await fn.run({ x: hostTensor(new Float32Array(rows * 3).fill(2), [rows, 3]) });
      expect(values!.shape).toEqual([rows, 2]);
      expect(total!.data[0]).toBe(rows * 6);
    }
  });
});

describe("states", () => {
  const counter = (name: string) => device.createState(name, { dtype: "f32", shape: [2] }, Float32Array.of(1, 10));

  it("are constants until a program replaces them, and keep their values on the way", async () => {
    const state = counter("a");
    using read = compile(device, "read", ({ x }) => ({ y: add(x!, state) }));
    using replace = compile(device, "replace", ({ x }) => (assign(state, add(state, x!)), {}));
    const x = hostTensor(Float32Array.of(1, 1));
    const y = async () => [...(await read.run({ x }))["y"]!.data];
    expect(await y()).toEqual([2, 11]);
    state.write(Float32Array.of(5, 6));
    expect(await y()).toEqual([6, 7]);
    for (let i = 0; i < 5; i++) await replace.run({ x }, { read: false });
    expect(await y()).toEqual([11, 12]);
    state.write(Float32Array.of(0, 0));
    expect(await y()).toEqual([1, 1]);
    await replace.run({ x });
    expect([...(await device.readStates([state]))[0]!]).toEqual([1, 1]);
    state.dispose();
  });

  it("are replaced by each other's old values", async () => {
    const [a, b] = [counter("a"), device.createState("a", { dtype: "f32", shape: [2] })];
    using swap = compile(device, "swap", () => {
      const [oldA, oldB] = [mul(a, 1), mul(b, 1)];
      assign(a, oldB);
      assign(b, sub(oldA, 1));
      return { sum: sum(add(oldA, oldB)) };
    });
    expect((await swap.run({}))["sum"]!.data[0]).toBe(11);
    expect((await device.readStates([a, b])).map((data) => [...data])).toEqual([[0, 0], [0, 9]]);
    await swap.run({}, { read: false });
    expect((await device.readStates([a, b])).map((data) => [...data])).toEqual([[0, 9], [-1, -1]]);
    for (const state of [a, b]) state.dispose();
  });

  it("are counted", () => {
    const before = device.memory.currentBytes;
    const state = device.createState("counted", { dtype: "i32", shape: [3, 5] });
    expect(device.memory.currentBytes - before).toBe(60);
    state.dispose();
    state.dispose();
    expect(device.memory.currentBytes).toBe(before);
  });
});

describe("a run", () => {
  it("refuses what it cannot do", async () => {
    const state = device.createState("gone", { dtype: "f32", shape: [1] });
    const fn = compile(device, "fn", ({ x }) => ({ y: add(x!, state) }));
    const x = hostTensor(Float32Array.of(1));
    await expect(fn.run({ x }, { read: ["z"] })).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message: "[fn] has no output z; it has y" });
    await expect(fn.run({ x }, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
    expect((await fn.run({ x }))["y"]!.data[0]).toBe(1);
    state.dispose();
    await expect(fn.run({ x })).rejects.toMatchObject({ code: "DISPOSED", message: expect.stringContaining("state gone") as string });
    fn.dispose();
    const other = new ReferenceDevice().createState("other", { dtype: "f32", shape: [1] });
    await expect(compile(device, "foreign", () => ({ y: add(other, 1) })).run({})).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("that wants more memory than there is says how much, and the next one runs", async () => {
    using fn = compile(device, "product", ({ a, b }) => ({ total: sum(matmul(a!, b!)) }));
    const [column, row] = [(size: number) => hostTensor(new Float32Array(size).fill(1), [size, 1]), (size: number) => hostTensor(new Float32Array(size).fill(1), [1, size])];
    // 4 TB: no machine that runs this test overcommits that far.
    await expect(fn.run({ a: column(1_000_000), b: row(1_000_000) })).rejects.toMatchObject({ code: "OUT_OF_MEMORY", message: expect.stringContaining("which wants 3725.3 GiB in one piece") as string });
    expect((await fn.run({ a: column(3), b: row(5) }))["total"]!.data[0]).toBe(15);
  });

  it("whose failure nobody waited for tells the next call that can", async () => {
    const call = vi.spyOn(device.engine, "call").mockRejectedValueOnce(new Error("it failed"));
    device.queue(device.engine.call("releaseState", -1));
    await expect(device.finish()).rejects.toThrow("it failed");
    call.mockRestore();
    await device.finish();
  });
});

describe("the device", () => {
  it("is no more after dispose()", async () => {
    const own = await CpuDevice.open();
    own.dispose();
    own.dispose();
    expect(() => own.createState("x", { dtype: "f32", shape: [1] })).toThrow("[cpu] the device was disposed; open it again");
  });

  it.each([0, 1.5, -1, NaN])("refuses %s threads", async (threads) => {
    await expect(CpuDevice.open({ threads })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });
});
