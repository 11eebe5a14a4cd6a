import { describe, expect, it } from "vitest";
import { gradients } from "../../program/autodiff.ts";
import { compile } from "../../program/compile.ts";
import { trace, type TracedFunction } from "../../program/trace.ts";
import { dtypeOf, type HostTensor } from "../../program/types.ts";
import { checkForward, checkGradients, checkWithGradients, randomTensor, reference } from "../../testing/check.ts";
import { testDevice } from "../../testing/devices.ts";
import { slice } from "../movement/slice.ts";
import { sum } from "../reduce/op.ts";
import { reshape } from "../reshape/op.ts";
import { attention, type AttentionOptions } from "./op.ts";

const device = await testDevice();
const key = (value: number): HostTensor => ({ shape: [], data: Uint32Array.of(value) });

interface Sizes {
  batch?: number;
  queries: number;
  keys?: number;
  heads?: number;
  keyHeads?: number;
  headDim: number;
}

const operands = ({ batch = 2, queries, keys = queries, heads = 2, keyHeads = heads, headDim }: Sizes) => ({
  q: randomTensor([batch, queries, heads, headDim], 1, 2),
  k: randomTensor([batch, keys, keyHeads, headDim], 2, 2),
  v: randomTensor([batch, keys, keyHeads, headDim], 3),
});
const attend = (options: Omit<AttentionOptions, "mask" | "bias" | "dropout"> & { probability?: number } = {}): TracedFunction => ({ q, k, v, mask, bias, key }) => {
  const { probability, ...rest } = options;
  return { y: attention(q!, k!, v!, { ...rest, ...(mask && { mask }), ...(bias && { bias }), ...(key && { dropout: { probability: probability ?? 0.4, key } }) }) };
};
const maskOf = (lengths: number[], keys: number): HostTensor => ({ shape: [lengths.length, keys], data: Float32Array.from(lengths.flatMap((length) => Array.from({ length: keys }, (_, j) => (j < length ? 1 : 0)))) });

describe("attention", () => {
  it.each([1, 7, 32, 40, 64])("equals the reference with headDim %i", async (headDim) => {
    for (const queries of [1, 5, 17, 33]) await checkForward(device, attend(), operands({ queries, headDim }));
  });

  it("takes headDim 256, and refuses more", async () => {
    await checkForward(device, attend(), operands({ batch: 1, queries: 6, heads: 1, headDim: 256 }));
    expect(() => reference(attend(), operands({ queries: 2, headDim: 257 }))).toThrow("headDim 257 is outside 1 to 256");
  });

  it("reads slices of one projection where they are, with all options, and gives one gradient", async () => {
    const [batch, length, heads, keyHeads, headDim] = [2, 9, 6, 2, 6];
    const x = randomTensor([batch, length, (heads + 2 * keyHeads) * headDim], 5);
    const inputs = { x, mask: maskOf([9, 4], length), bias: randomTensor([1, heads, length, length], 6), key: key(3) };
    const fn: TracedFunction = ({ x, mask, bias, key }) => {
      const ends = [heads, heads + keyHeads, heads + 2 * keyHeads].map((count) => count * headDim);
      const [q, k, v] = ends.map((end, i) => reshape(slice(x!, { axis: 2, begin: i === 0 ? 0 : ends[i - 1]!, end }), [batch, length, i === 0 ? heads : keyHeads, headDim]));
      return { y: attention(q!, k!, v!, { causal: true, mask: mask!, bias: bias!, dropout: { probability: 0.3, key: key! } }) };
    };
    const types = Object.fromEntries(Object.entries(inputs).map(([name, { shape, data }]) => [name, { dtype: dtypeOf(data), shape }]));
    const names = trace("joined", types, (tensors) => ({ dx: gradients(sum(fn(tensors)["y"]!), [tensors["x"]!])[0]! })).nodes.map(({ op }) => op.name);
    expect(names).not.toContain("pad");
    expect(names).not.toContain("slice");
    await checkWithGradients(device, fn, inputs, ["x", "bias"]);
  });

  it("masks padding on either side, given as f32 or i32", async () => {
    const inputs = operands({ batch: 3, queries: 13, headDim: 32 });
    const mask = maskOf([13, 7, 1], 13);
    await checkForward(device, attend(), { ...inputs, mask });
    await checkForward(device, attend(), { ...inputs, mask: { ...mask, data: Int32Array.from(mask.data).reverse() } });
    const holes = { shape: [3, 13], data: Float32Array.from({ length: 39 }, (_, i) => (i % 3 === 1 ? 1 : 0)) };
    await checkForward(device, attend(), { ...inputs, mask: holes });
    // What padding holds cannot matter.
    using compiled = compile(device, "padding", attend());
    const other = { ...inputs, k: { ...inputs.k, data: inputs.k.data.slice() }, v: { ...inputs.v, data: inputs.v.data.slice() } };
    const width = 2 * 32;
    for (const tensor of [other.k, other.v]) tensor.data.fill(1e9, 2 * 13 * width + width);
    expect([...(await compiled.run({ ...other, mask }))["y"]!.data]).toEqual([...(await compiled.run({ ...inputs, mask }))["y"]!.data]);
  });

  it("is causal, aligned at the last key", async () => {
    for (const [queries, keys] of [[9, 9], [3, 11], [11, 4]] as const) {
      await checkForward(device, attend({ causal: true }), operands({ queries, keys, headDim: 16 }));
      await checkForward(device, attend({ causal: true }), { ...operands({ queries, keys, headDim: 16 }), mask: maskOf([keys, keys - 2], keys) });
    }
  });

  it("adds a bias for every batch and head, or shared", async () => {
    for (const shape of [[2, 4, 5, 7], [1, 4, 5, 7], [2, 1, 5, 7], [1, 1, 5, 7]]) {
      await checkForward(device, attend({ scale: 1 }), { ...operands({ queries: 5, keys: 7, heads: 4, headDim: 16 }), bias: randomTensor(shape, 5, 3) });
    }
  });

  it("shares key heads among groups of query heads", async () => {
    for (const keyHeads of [1, 2, 4]) await checkForward(device, attend({ causal: true }), operands({ queries: 9, heads: 4, keyHeads, headDim: 32 }));
  });

  it.each<[string, Sizes, AttentionOptions, number[]?]>([
    ["", { queries: 5, headDim: 16 }, {}],
    [" at odd sizes", { batch: 1, queries: 3, keys: 6, heads: 1, headDim: 5 }, {}],
    [" with padding", { queries: 6, heads: 1, headDim: 16 }, { causal: true }, [6, 3]],
    [" with shared heads", { batch: 1, queries: 4, keys: 6, heads: 4, keyHeads: 2, headDim: 16 }, { causal: true }],
    [" in a window", { batch: 1, queries: 7, keys: 9, headDim: 16 }, { causal: true, window: 3 }],
  ])("has right gradients%s", async (_, sizes, options, lengths) => {
    await checkGradients(device, attend(options), { ...operands(sizes), ...(lengths && { mask: maskOf(lengths, sizes.keys ?? sizes.queries) }) }, ["q", "k", "v"]);
  });

  it("has right gradients with a soft cap and dropout", () => checkGradients(device, attend({ softCap: 0.7 }), { ...operands({ batch: 1, queries: 3, headDim: 16 }), key: key(5) }, ["q", "k", "v"]));

  it("sees a window of keys: as Mistral's, or to both sides as ModernBERT's", async () => {
    for (const [queries, keys] of [[20, 20], [3, 40], [40, 3], [1, 9]] as const) {
      for (const causal of [true, false]) {
        for (const window of [1, 2, 7, 100]) {
          await checkForward(device, attend({ causal, window }), { ...operands({ queries, keys, headDim: 16 }), mask: maskOf([keys, Math.ceil(keys / 2)], keys) });
        }
      }
    }
    // One row a query: which keys it sees.
    const seen = (options: AttentionOptions) => {
      const zeros = { shape: [1, 5, 1, 1], data: new Float32Array(5) };
      const { y } = reference(({ q, k, v }) => ({ y: attention(q!, k!, v!, options) }), { q: zeros, k: zeros, v: { ...zeros, data: Float32Array.of(1, 10, 100, 1000, 10000) } });
      return Array.from(y!.data, (value, i) => Math.round(value * seenCount(options, i)));
    };
    const seenCount = ({ causal, window = 99 }: AttentionOptions, i: number) => (causal ? Math.min(i + 1, window) : Math.min(i, window >> 1) + Math.min(4 - i, window >> 1) + 1);
    expect(seen({ causal: true, window: 2 })).toEqual([1, 11, 110, 1100, 11000]);
    expect(seen({ window: 2 })).toEqual([11, 111, 1110, 11100, 11000]);
    expect(seen({ window: 3 })).toEqual(seen({ window: 2 }));
  });

  it("caps scores softly, large ones too", async () => {
    for (const scale of [0.3, 1000]) await checkForward(device, attend({ softCap: 5, scale }), operands({ queries: 9, headDim: 16 }));
    await checkForward(device, attend({ softCap: 30, causal: true }), { ...operands({ queries: 9, heads: 4, headDim: 16 }), bias: randomTensor([1, 4, 9, 9], 5, 3) });
  });

  it.each([[[2, 2, 3, 4]], [[1, 2, 3, 4]], [[2, 1, 3, 4]], [[1, 1, 3, 4]]])("has right gradients of a bias %j", async (shape) => {
    const inputs = { ...operands({ queries: 3, keys: 4, headDim: 8 }), bias: randomTensor(shape, 5), mask: maskOf([4, 2], 4), key: key(3) };
    await checkGradients(device, attend({ causal: true, probability: 0.3 }), inputs, ["q", "k", "v", "bias"]);
  });

  it.each([32, 40, 64])("has the reference's gradients on the device at headDim %i", async (headDim) => {
    const inputs = { ...operands({ batch: 2, queries: 21, heads: 4, keyHeads: 2, headDim }), mask: maskOf([21, 10], 21) };
    const fn: TracedFunction = (tensors) => {
      const y = attend()(tensors).y!;
      const [dq, dk, dv] = gradients(sum(y), [tensors["q"]!, tensors["k"]!, tensors["v"]!]);
      return { dq: dq!, dk: dk!, dv: dv! };
    };
    await checkForward(device, fn, inputs, 2e-5);
  });

  it("gives zeros and zero gradients to a row without keys", async () => {
    const inputs = { ...operands({ queries: 5, headDim: 16 }), mask: maskOf([5, 0], 5) };
    const fn: TracedFunction = (tensors) => {
      const y = attend()(tensors).y!;
      const [dq, dk, dv] = gradients(sum(y), [tensors["q"]!, tensors["k"]!, tensors["v"]!]);
      return { y, dq: dq!, dk: dk!, dv: dv! };
    };
    await checkForward(device, fn, inputs);
    using compiled = compile(device, "no keys", fn);
    for (const { data } of Object.values(await compiled.run(inputs))) {
      expect(data.slice(data.length / 2).every((value) => value === 0)).toBe(true);
      expect(data.slice(0, data.length / 2).some((value) => value !== 0)).toBe(true);
    }
  });

  it("drops probabilities, the same with the same key, each call on its own", async () => {
    const inputs = { ...operands({ queries: 9, headDim: 16 }), key: key(11) };
    await checkForward(device, attend({ probability: 0.5 }), inputs);
    const twice = reference((tensors) => ({ a: attend()(tensors).y!, b: attend()(tensors).y! }), inputs);
    expect([...twice["a"]!.data]).not.toEqual([...twice["b"]!.data]);
    const none = reference(attend({ probability: 0 }), inputs);
    expect([...none["y"]!.data]).toEqual([...reference(attend(), { q: inputs.q, k: inputs.k, v: inputs.v })["y"]!.data]);
  });

  it("stays finite at large scores and takes empty operands", async () => {
    const large = operands({ queries: 6, headDim: 16 });
    await checkForward(device, attend({ scale: 1000 }), large, 1e-4);
    await checkForward(device, attend(), operands({ batch: 0, queries: 4, headDim: 16 }));
    await checkForward(device, attend(), operands({ queries: 0, keys: 4, headDim: 16 }));
    await checkForward(device, attend(), operands({ queries: 4, keys: 0, headDim: 16 }));
  });

  it("refuses what does not fit, and says how to fix it", () => {
    const good = operands({ queries: 4, headDim: 8 });
    const run = (change: Record<string, HostTensor>, options = {}) => () => reference(attend(options), { ...good, ...change });
    expect(run({ k: randomTensor([2, 4, 16], 1) })).toThrow("each must be [batch, length, heads, headDim]");
    expect(run({ v: randomTensor([2, 5, 2, 8], 1) })).toThrow("k and v must have one shape");
    expect(run({ k: randomTensor([2, 4, 2, 4], 1), v: randomTensor([2, 4, 2, 4], 1) })).toThrow("batch and headDim of q and k differ");
    expect(run({ k: randomTensor([2, 4, 3, 8], 1), v: randomTensor([2, 4, 3, 8], 1) })).toThrow("2 query heads cannot be shared out among 3 key heads");
    expect(run({ mask: randomTensor([2, 5], 1) })).toThrow("the mask must be [batch, keys] = [2, 4]");
    expect(run({ bias: randomTensor([2, 3, 4, 4], 1) })).toThrow("the bias must be f32 [1 or 2, 1 or 2, 4, 4]");
    expect(run({}, { window: 0 })).toThrow("the window must be a whole number of keys, at least 1, got 0");
    expect(run({}, { softCap: 0 })).toThrow("softCap must be positive, got 0");
    expect(run({ key: key(1) }, { probability: 1 })).toThrow("must be in [0, 1), got 1");
    expect(run({ key: { shape: [], data: Float32Array.of(1) } })).toThrow("must be a u32 scalar");
    expect(run({ q: { shape: [2, 4, 2, 8], data: new Int32Array(128) } })).toThrow("wants f32 q, k and v");
  });
});
