import { describe, expect, it } from "vitest";
import type { TracedFunction } from "../../program/trace.ts";
import type { HostTensor } from "../../program/types.ts";
import { checkForward, checkGradients, randomTensor, reference } from "../../testing/check.ts";
import { testDevice } from "../../testing/devices.ts";
import { rotaryEmbedding, type RotaryEmbeddingOptions } from "./op.ts";
import { rotaryTable } from "./table.ts";

const device = await testDevice();
const rotate = (options: Omit<RotaryEmbeddingOptions, "lengths"> = {}): TracedFunction => ({ x, table, lengths }) => ({ y: rotaryEmbedding(x!, table!, { ...options, ...(lengths && { lengths }) }) });
const lengths = (...values: number[]): HostTensor => ({ shape: [values.length], data: Int32Array.from(values) });

describe("rotaryEmbedding", () => {
  it.each([false, true])("equals the reference and has right gradients, interleaved %s", async (interleaved) => {
    for (const [shape, dims] of [[[2, 5, 3, 8], 8], [[1, 4, 2, 16], 6], [[2, 3, 1, 5], 2], [[1, 1, 1, 2], 2], [[3, 7, 2, 64], 64]] as const) {
      const inputs = { x: randomTensor(shape, 1), table: rotaryTable({ length: 12, dims }) };
      await checkForward(device, rotate({ interleaved, begin: 3 }), inputs);
      if (shape[3] < 64) await checkGradients(device, rotate({ interleaved }), inputs, ["x"]);
    }
  });

  it("turns pairs as Llama's and as GPT-J's", () => {
    const x = { shape: [1, 2, 1, 4], data: Float32Array.of(9, 9, 9, 9, 1, 2, 3, 4) };
    const turned = (interleaved: boolean) => Array.from(reference(rotate({ interleaved }), { x, table: rotaryTable({ length: 2, dims: 4 }) })["y"]!.data).slice(4);
    const [c, s, d, t] = [Math.cos(1), Math.sin(1), Math.cos(0.01), Math.sin(0.01)];
    const close = (values: number[], wanted: number[]) => values.forEach((value, i) => expect(value).toBeCloseTo(wanted[i]!, 5));
    close(turned(false), [c - 3 * s, 2 * d - 4 * t, 3 * c + s, 4 * d + 2 * t]);
    close(turned(true), [c - 2 * s, 2 * c + s, 3 * d - 4 * t, 4 * d + 3 * t]);
  });

  it("places the last token of each row by its length", async () => {
    const inputs = { x: randomTensor([3, 4, 2, 8], 1), table: rotaryTable({ length: 10, dims: 8, base: 500, factor: 1.2 }), lengths: lengths(10, 4, 2) };
    await checkForward(device, rotate(), inputs);
    await checkGradients(device, rotate(), inputs, ["x"]);
    const u32 = { ...inputs, lengths: { shape: [3], data: Uint32Array.of(10, 4, 2) } };
    await checkForward(device, rotate(), u32);
  });

  it("takes empty tensors", async () => {
    const table = rotaryTable({ length: 4, dims: 4 });
    await checkForward(device, rotate(), { x: randomTensor([0, 3, 2, 4], 1), table });
    await checkForward(device, rotate(), { x: randomTensor([2, 0, 2, 4], 1), table });
  });

  it("takes frequencies of one's own", () => {
    const { data } = rotaryTable({ length: 2, dims: 4, frequencies: [0.5, 0.25] });
    [1, 1, 0, 0, Math.cos(0.5), Math.cos(0.25), Math.sin(0.5), Math.sin(0.25)].forEach((value, i) => expect(data[i]).toBeCloseTo(value, 6));
  });

  it("refuses what does not fit, and says how to fix it", () => {
    const good = { x: randomTensor([2, 3, 1, 4], 1), table: rotaryTable({ length: 3, dims: 4 }) };
    const run = (change: Record<string, HostTensor>, options = {}) => () => reference(rotate(options), { ...good, ...change });
    expect(run({ x: randomTensor([2, 3, 4], 1) })).toThrow("x must be [batch, length, heads, headDim]");
    expect(run({ x: { ...good.x, data: new Int32Array(24) } })).toThrow("wants f32");
    expect(run({ table: randomTensor([3, 6], 1) })).toThrow("dims even and at most headDim 4, got [3, 6]");
    expect(run({ table: { shape: [3, 4], data: new Int32Array(12) } })).toThrow("the rotary table must be f32, got i32");
    expect(run({}, { begin: 1 })).toThrow("has 3 positions, 4 are needed");
    expect(run({}, { begin: 0.5 })).toThrow("begin must be a whole number, got 0.5");
    expect(run({ lengths: lengths(1) })).toThrow("lengths must be i32 or u32 [batch] = [2]");
    expect(() => rotaryTable({ length: 4, dims: 3 })).toThrow("dims must be even");
    expect(() => rotaryTable({ length: 0, dims: 2 })).toThrow("at least 1, got 0");
    expect(() => rotaryTable({ length: 4, dims: 4, frequencies: [1] })).toThrow("4 dims are 2 pairs, got 1 frequencies");
  });
});
