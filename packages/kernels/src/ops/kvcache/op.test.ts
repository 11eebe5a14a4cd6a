import { describe, expect, it } from "vitest";
import type { State } from "../../device/device.ts";
import { compile } from "../../program/compile.ts";
import type { Tensor } from "../../program/tensor.ts";
import { asTensor, type TracedFunction } from "../../program/trace.ts";
import { dtypeOf, type HostTensor } from "../../program/types.ts";
import { expectClose, randomTensor, reference } from "../../testing/check.ts";
import { testDevice } from "../../testing/devices.ts";
import { attention, type AttentionOptions } from "../attention/op.ts";
import type { RotaryOptions } from "../rotary/op.ts";
import { rotaryTable } from "../rotary/table.ts";
import { cacheLengths, extendCache } from "./op.ts";

const device = await testDevice();

interface Sizes {
  batch: number;
  capacity: number;
  heads: number;
  keyHeads: number;
  headDim: number;
}

interface DecodingOptions extends Pick<AttentionOptions, "window" | "softCap"> {
  rotary?: RotaryOptions & { dims: number };
}

/** Caches full of numbers that nobody may read. */
function caches({ batch, capacity, keyHeads, headDim }: Sizes): { keyCache: State; valueCache: State } {
  const shape = [batch, capacity, keyHeads, headDim];
  const [keyCache, valueCache] = device.createStates(["keys", "values"].map((name) => ({ name, type: { dtype: "f32" as const, shape } })));
  for (const state of [keyCache!, valueCache!]) state.write(new Float32Array(batch * capacity * keyHeads * headDim).fill(1e4));
  return { keyCache: keyCache!, valueCache: valueCache! };
}

/** Tokens [from, to) of x [batch, length, …]. */
function tokens({ shape, data }: HostTensor, from: number, to: number): HostTensor {
  const [batch, length, ...rest] = shape as [number, number, ...number[]];
  const row = rest.reduce((a, b) => a * b, 1);
  const taken = Array.from({ length: batch }, (_, b) => data.slice((b * length + from) * row, (b * length + to) * row));
  return { shape: [batch, to - from, ...rest], data: Float32Array.from(taken.flatMap((part) => [...part])) };
}

async function checkDecoding(sizes: Sizes, length: number, prompt: number, { rotary, ...options }: DecodingOptions = {}): Promise<void> {
  const { batch, capacity, heads, keyHeads, headDim } = sizes;
  const [q, k, v] = [heads, keyHeads, keyHeads].map((count, i) => randomTensor([batch, length, count, headDim], i + 1, 2));
  const table = rotaryTable({ length: capacity, dims: rotary?.dims ?? 2, base: 100 });
  const turning = (table: Tensor | undefined) => rotary && { interleaved: rotary.interleaved ?? false, table: table! };
  const wanted = reference(({ q, k, v, table }) => ({ y: attention(q!, k!, v!, { causal: true, ...options, ...(rotary && { rotary: turning(table)! }) }) }), { q: q!, k: k!, v: v!, table })["y"]!;
  const { keyCache, valueCache } = caches(sizes);
  using step = compile(device, "decode", ({ q, k, v, table, lengths }) => {
    const rotates = turning(table);
    const { keys, values } = extendCache({ keyCache, valueCache, k: k!, v: v!, lengths: lengths!, ...(rotates && { rotary: rotates }) });
    return { y: attention(q!, keys, values, { lengths: lengths!, causal: true, ...options, ...(rotates && { rotary: { ...rotates, keys: false } }) }) };
  });
  for (let from = 0, to = prompt; from < length; from = to, to++) {
    const part = (x: HostTensor) => tokens(x, from, to);
    const { y } = await step.run({ q: part(q!), k: part(k!), v: part(v!), table, lengths: cacheLengths(new Array<number>(batch).fill(to), capacity) });
    expectClose(y!.data, tokens({ shape: [batch, length, heads, headDim], data: Float32Array.from(wanted.data) }, from, to).data, 1e-5, `tokens ${from} to ${to}`);
  }
  keyCache.dispose();
  valueCache.dispose();
}

describe("decoding over a cache", () => {
  it.each<[string, Sizes, number, number, DecodingOptions?]>([
    ["", { batch: 2, capacity: 16, heads: 4, keyHeads: 4, headDim: 16 }, 11, 5],
    [" to its end, from one token on", { batch: 1, capacity: 7, heads: 2, keyHeads: 1, headDim: 64 }, 7, 1],
    [" of odd sizes", { batch: 3, capacity: 9, heads: 3, keyHeads: 3, headDim: 5 }, 6, 4],
    [" in a window", { batch: 1, capacity: 40, heads: 2, keyHeads: 2, headDim: 16 }, 38, 33, { window: 6 }],
    [" with a soft cap", { batch: 1, capacity: 8, heads: 2, keyHeads: 2, headDim: 16 }, 6, 3, { softCap: 2 }],
    [" with rotary embedding", { batch: 2, capacity: 9, heads: 4, keyHeads: 2, headDim: 16 }, 7, 3, { rotary: { dims: 16 } }],
    [" with neighbours turned", { batch: 1, capacity: 9, heads: 2, keyHeads: 2, headDim: 12 }, 6, 3, { rotary: { dims: 8, interleaved: true } }],
    [" with few elements turned", { batch: 1, capacity: 9, heads: 2, keyHeads: 2, headDim: 5 }, 6, 3, { rotary: { dims: 4 } }],
    [" that several workgroups share", { batch: 1, capacity: 1100, heads: 2, keyHeads: 1, headDim: 16 }, 700, 697],
    [" of wide heads that several workgroups share", { batch: 1, capacity: 600, heads: 1, keyHeads: 1, headDim: 130 }, 4, 1],
  ])("step by step equals causal attention%s", (_, sizes, length, prompt, options) => checkDecoding(sizes, length, prompt, options));

  it("takes rows of different lengths, their prompts padded on the left", async () => {
    const sizes = { batch: 2, capacity: 12, heads: 2, keyHeads: 1, headDim: 8 };
    const { keyCache, valueCache } = caches(sizes);
    using step = compile(device, "rows", ({ q, k, v, lengths }) => {
      const { keys, values } = extendCache({ keyCache, valueCache, k: k!, v: v!, lengths: lengths! });
      return { y: attention(q!, keys, values, { lengths: lengths!, causal: true }) };
    });
    // Row 0 has 5 tokens, row 1 has 2 after three of padding; then each gets one more.
    const all = { q: randomTensor([2, 6, 2, 8], 1, 2), k: randomTensor([2, 6, 1, 8], 2, 2), v: randomTensor([2, 6, 1, 8], 3) };
    const part = (from: number, to: number) => Object.fromEntries(Object.entries(all).map(([name, x]) => [name, tokens(x, from, to)]));
    const prompt = (await step.run({ ...part(0, 5), lengths: cacheLengths([5, 2], 12) }))["y"]!;
    const next = (await step.run({ ...part(5, 6), lengths: cacheLengths([6, 3], 12) }))["y"]!;
    for (const [row, from] of [[0, 0], [1, 3]] as const) {
      const alone = Object.fromEntries(Object.entries(all).map(([name, { shape, data }]) => [name, tokens({ shape: [1, ...shape.slice(1)], data: data.slice((row * data.length) / 2, ((row + 1) * data.length) / 2) }, from, 6)]));
      const wanted = reference(({ q, k, v }) => ({ y: attention(q!, k!, v!, { causal: true }) }), alone)["y"]!.data;
      expectClose([...prompt.data.slice((row * 5 + from) * 16, (row + 1) * 5 * 16), ...next.data.slice(row * 16, (row + 1) * 16)], wanted, 1e-5, `row ${row}`);
    }
    // Padding sees nothing.
    expect(prompt.data.slice(5 * 16, 8 * 16).every((value) => value === 0)).toBe(true);
    keyCache.dispose();
    valueCache.dispose();
  });

  it("writes in place, and leaves out what does not fit", async () => {
    const sizes = { batch: 1, capacity: 4, heads: 1, keyHeads: 1, headDim: 3 };
    const { keyCache, valueCache } = caches(sizes);
    using step = compile(device, "write", ({ k, v, lengths }) => {
      const { values } = extendCache({ keyCache, valueCache, k: k!, v: v!, lengths: lengths! });
      return { values };
    });
    const rows = { shape: [1, 2, 1, 3], data: Float32Array.from({ length: 6 }, (_, i) => i) };
    const run = async (length: number) => [...(await step.run({ k: rows, v: rows, lengths: { shape: [1], data: Uint32Array.of(length) } }))["values"]!.data];
    const empty = new Array<number>(3).fill(1e4);
    expect(await run(1)).toEqual([3, 4, 5, ...empty, ...empty, ...empty]);
    expect(await run(3)).toEqual([3, 4, 5, 0, 1, 2, 3, 4, 5, ...empty]);
    expect(await run(5)).toEqual([3, 4, 5, 0, 1, 2, 3, 4, 5, 0, 1, 2]);
    using content = compile(device, "content", () => ({ keys: asTensor(keyCache) }));
    expect([...(await content.run({}))["keys"]!.data]).toEqual([3, 4, 5, 0, 1, 2, 3, 4, 5, 0, 1, 2]);
    keyCache.dispose();
    valueCache.dispose();
  });

  it("holds no second cache while a step runs", () => {
    const sizes = { batch: 2, capacity: 64, heads: 2, keyHeads: 2, headDim: 16 };
    const { keyCache, valueCache } = caches(sizes);
    using step = compile(device, "memory", ({ k, lengths }) => {
      const { keys, values } = extendCache({ keyCache, valueCache, k: k!, v: k!, lengths: lengths! });
      return { y: attention(k!, keys, values, { lengths: lengths!, causal: true }) };
    });
    const { workspaceBytes } = step.plan({ k: { dtype: "f32", shape: [2, 1, 2, 16] }, lengths: { dtype: "i32", shape: [2] } });
    expect(workspaceBytes).toBeLessThan(4 * 2 * 64 * 2 * 16);
    keyCache.dispose();
    valueCache.dispose();
  });

  it("refuses what does not fit, and says how to fix it", () => {
    const { keyCache, valueCache } = caches({ batch: 2, capacity: 4, heads: 1, keyHeads: 1, headDim: 8 });
    const good = { k: randomTensor([2, 1, 1, 8], 1), v: randomTensor([2, 1, 1, 8], 2), lengths: cacheLengths([1, 1], 4) };
    const program = (fn: TracedFunction, inputs: Record<string, HostTensor>) => compile(device, "wrong", fn).program(Object.fromEntries(Object.entries(inputs).map(([name, { shape, data }]) => [name, { shape, dtype: dtypeOf(data) }])));
    const run = (change: Record<string, HostTensor>) => () => program(({ k, v, lengths }) => ({ y: extendCache({ keyCache, valueCache, k: k!, v: v!, lengths: lengths! }).keys }), { ...good, ...change });
    expect(run({ k: randomTensor([2, 1, 2, 8], 1) })).toThrow("caches must be [batch, capacity, heads, headDim]");
    expect(run({ v: randomTensor([2, 2, 1, 8], 1) })).toThrow("k and v [batch, new tokens, heads, headDim]");
    expect(run({ k: randomTensor([2, 5, 1, 8], 1), v: randomTensor([2, 5, 1, 8], 1) })).toThrow("5 new tokens do not fit into a cache for 4");
    expect(run({ k: { ...good.k, data: new Int32Array(16) } })).toThrow("wants f32 caches, k and v");
    expect(run({ lengths: randomTensor([2], 1) })).toThrow("lengths must be i32 or u32 [batch] = [2], got f32 [2]");
    const turned = (table: HostTensor) => () => program(({ k, v, lengths, table }) => ({ y: extendCache({ keyCache, valueCache, k: k!, v: v!, lengths: lengths!, rotary: { table: table! } }).keys }), { ...good, table });
    expect(turned(rotaryTable({ length: 3, dims: 8 }))).toThrow("[extendCache] the rotary table has 3 positions, 4 are needed");
    expect(turned(rotaryTable({ length: 4, dims: 10 }))).toThrow("[extendCache] the rotary table must be [positions, dims] with dims even and at most headDim 8, got [4, 10]");
    expect(() => cacheLengths([4, 5], 4)).toThrow("row 1 would have 5 tokens, the cache has room for 4");
    expect(() => reference(({ q }) => ({ y: attention(q!, q!, q!, { lengths: asTensor(3) }) }), { q: randomTensor([2, 3, 1, 4], 1) })).toThrow("lengths must be i32 or u32 [batch] = [2]");
    keyCache.dispose();
    valueCache.dispose();
  });
});
