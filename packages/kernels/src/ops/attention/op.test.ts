import { describe, expect, it } from "vitest";
import { compile, hostTensor } from "../../program/compile.ts";
import type { HostTensor } from "../../program/types.ts";
import { trace } from "../../program/trace.ts";
import { checkForward, checkGradients, randomTensor, reference } from "../../testing/check.ts";
import { testDevice } from "../../testing/devices.ts";
import { attention, type AttentionOptions } from "./op.ts";

const device = await testDevice();

interface Case {
  name: string;
  batch?: number;
  queries: number;
  keys?: number;
  heads?: number;
  keyHeads?: number;
  headSize: number;
  mask?: boolean;
  bias?: [number, number];
  causal?: boolean;
  dropout?: boolean;
}

const cases: Case[] = [
  { name: "one token", queries: 1, headSize: 4 },
  { name: "odd sizes", batch: 2, queries: 7, keys: 5, heads: 3, headSize: 12 },
  { name: "a head size that is no multiple of four", queries: 5, heads: 2, headSize: 3 },
  { name: "padding", batch: 3, queries: 6, heads: 2, headSize: 8, mask: true },
  { name: "causal", batch: 2, queries: 5, heads: 2, headSize: 4, causal: true },
  { name: "causal with more keys", queries: 3, keys: 7, headSize: 4, causal: true },
  { name: "causal with fewer keys", queries: 6, keys: 4, headSize: 4, causal: true },
  { name: "grouped heads", batch: 2, queries: 4, heads: 6, keyHeads: 2, headSize: 4, mask: true },
  { name: "one key head", queries: 4, heads: 3, keyHeads: 1, headSize: 8, causal: true },
  { name: "bias shared by batches", batch: 2, queries: 4, keys: 5, heads: 2, headSize: 4, bias: [1, 2] },
  { name: "bias of its own, shared by heads", batch: 2, queries: 3, heads: 2, headSize: 4, bias: [2, 1], mask: true },
  { name: "bias and causal", batch: 2, queries: 4, heads: 2, headSize: 4, bias: [1, 1], causal: true },
  { name: "dropout", batch: 2, queries: 5, heads: 2, headSize: 4, mask: true, dropout: true },
];

function setUp({ batch = 1, queries, keys = queries, heads = 1, keyHeads = heads, headSize, mask, bias, causal, dropout }: Case) {
  const inputs: Record<string, HostTensor> = {
    q: randomTensor([batch, queries, heads, headSize], 1, 2),
    k: randomTensor([batch, keys, keyHeads, headSize], 2, 2),
    v: randomTensor([batch, keys, keyHeads, headSize], 3),
  };
  if (mask) inputs.mask = hostTensor(Int32Array.from({ length: batch * keys }, (_, i) => (i % keys < keys - Math.floor(i / keys) ? 1 : 0)), [batch, keys]);
  if (bias) inputs.bias = randomTensor([...bias, queries, keys], 4);
  if (dropout) inputs.key = { shape: [], data: Uint32Array.of(77) };
  const fn = (t: Record<string, import("../../program/tensor.ts").Tensor>) => {
    const options: AttentionOptions = { causal, mask: t.mask, bias: t.bias, ...(t.key && { dropout: { probability: 0.3, key: t.key } }) };
    return { y: attention(t.q!, t.k!, t.v!, options) };
  };
  return { inputs, fn };
}

describe("attention", () => {
  it.each(cases)("$name", async (one) => {
    const { inputs, fn } = setUp(one);
    await checkForward(device, fn, inputs, 2e-6);
    await checkGradients(device, fn, inputs, ["q", "k", "v", ...(inputs.bias ? ["bias"] : [])], { tolerance: 1e-5, finiteDifferences: 1e-6 });
  });

  it.each([[130, 32], [33, 64], [17, 96], [3, 256], [2, 255]])("%i tokens, head size %i", async (length, headSize) => {
    const { inputs, fn } = setUp({ name: "", queries: length, heads: 2, headSize, mask: true });
    await checkForward(device, fn, inputs, 5e-6);
  });

  it("gives zeros, not NaN, where every key is hidden", async () => {
    const { inputs, fn } = setUp({ name: "", batch: 2, queries: 3, headSize: 4, mask: true });
    inputs.mask = hostTensor(Int32Array.of(1, 1, 1, 0, 0, 0), [2, 3]);
    await checkGradients(device, fn, inputs, ["q", "k", "v"]);
    expect([...reference(fn, inputs).y!.data.slice(12)]).toEqual(new Array(12).fill(0));
    await checkForward(device, fn, inputs);
  });

  it("survives scores that would overflow", async () => {
    const { inputs, fn } = setUp({ name: "", queries: 5, headSize: 4 });
    inputs.q = randomTensor([1, 5, 1, 4], 5, 300);
    inputs.k = randomTensor([1, 5, 1, 4], 6, 300);
    await checkForward(device, fn, inputs, 1e-4);
  });

  it("takes empty batches", async () => {
    using f = compile(device, "empty", ({ q }) => ({ y: attention(q!, q!, q!) }));
    expect((await f.run({ q: { shape: [0, 3, 2, 4], data: new Float32Array(0) } })).y!.shape).toEqual([0, 3, 2, 4]);
  });

  it("names what does not fit", () => {
    const f32 = (...shape: number[]) => ({ dtype: "f32" as const, shape });
    const make = (q: number[], k: number[], v: number[], mask: number[]) => () =>
      trace("bad", { q: f32(...q), k: f32(...k), v: f32(...v), mask: f32(...mask) }, (t) => ({ y: attention(t.q!, t.k!, t.v!, { mask: t.mask! }) }));
    expect(make([1, 2, 3], [1, 2, 3], [1, 2, 3], [1, 2])).toThrow(/wanted \[batch, length, heads, headSize\]/);
    expect(make([1, 2, 3, 4], [1, 2, 2, 4], [1, 2, 2, 4], [1, 2])).toThrow(/3 query heads cannot share 2 key heads/);
    expect(make([1, 2, 3, 4], [1, 5, 3, 4], [1, 5, 3, 4], [1, 4])).toThrow(/the mask must be \[1, 5\]/);
  });
});
