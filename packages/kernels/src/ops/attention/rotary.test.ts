import { describe, expect, it } from "vitest";
import { gradients } from "../../program/autodiff.ts";
import type { Tensor } from "../../program/tensor.ts";
import { trace, type TracedFunction } from "../../program/trace.ts";
import { dtypeOf, type HostTensor } from "../../program/types.ts";
import { checkForward, checkGradients, checkWithGradients, expectClose, randomTensor, reference } from "../../testing/check.ts";
import { testDevice } from "../../testing/devices.ts";
import { mul } from "../elementwise/arithmetic.ts";
import { slice } from "../movement/slice.ts";
import { sum } from "../reduce/op.ts";
import { reshape } from "../reshape/op.ts";
import { rotaryEmbedding } from "../rotary/op.ts";
import { rotaryTable } from "../rotary/table.ts";
import { attention, type AttentionOptions } from "./op.ts";

const device = await testDevice();
const [batch, heads, keyHeads] = [2, 4, 2];

interface Case {
  readonly queries: number;
  readonly keys: number;
  readonly headDim: number;
  readonly dims: number;
  readonly interleaved?: boolean;
  /** Which of q, k and v are slices of one tensor. */
  readonly joined?: "kv" | "qkv";
  /** False: keys are turned already. */
  readonly turnsKeys?: boolean;
  readonly lengths?: readonly number[];
  readonly dropout?: number;
  readonly bias?: boolean;
  readonly options?: Pick<AttentionOptions, "causal" | "window" | "softCap">;
}

const integers = (values: readonly number[]): HostTensor => ({ shape: [values.length], data: Int32Array.from(values) });

/** The inputs that have gradients, and the others. */
function inputsOf({ queries, keys, headDim, dims, joined, lengths, dropout, bias }: Case): { wrt: string[]; inputs: Record<string, HostTensor> } {
  const q = { q: randomTensor([batch, queries, heads, headDim], 1, 2) };
  const differentiable: Record<string, HostTensor> = {
    none: { ...q, k: randomTensor([batch, keys, keyHeads, headDim], 2, 2), v: randomTensor([batch, keys, keyHeads, headDim], 3) },
    kv: { ...q, kv: randomTensor([batch, keys, 2 * keyHeads * headDim], 2, 2) },
    qkv: { qkv: randomTensor([batch, keys, (heads + 2 * keyHeads) * headDim], 1, 2) },
  }[joined ?? "none"];
  return {
    wrt: Object.keys(differentiable),
    inputs: {
      ...differentiable,
      // Longer than need be.
      table: rotaryTable({ length: keys + 3, dims, base: 100 }),
      // More than there are keys is as many as there are.
      ...(lengths && { lengths: integers(lengths), ends: integers(lengths.map((length) => Math.min(length, keys))) }),
      ...(dropout && { key: { shape: [], data: Uint32Array.of(7) } }),
      ...(bias && { bias: randomTensor([1, heads, queries, keys], 5) }),
    },
  };
}

/** Attention that turns queries and keys itself, or after rotaryEmbedding has turned them. */
function attend({ headDim, interleaved = false, turnsKeys = true, dropout, options }: Case, how: "fused" | "apart"): TracedFunction {
  return ({ q, k, v, kv, qkv, table, lengths, ends, key, bias }) => {
    const columns = (x: Tensor, begin: number, count: number) => reshape(slice(x, { axis: 2, begin: begin * headDim, end: (begin + count) * headDim }), [batch, x.shape[1]!, count, headDim]);
    const [ofKeys, first] = qkv ? [qkv, heads] : [kv, 0];
    const queries = qkv ? columns(qkv, 0, heads) : q!;
    const [keys, values] = ofKeys ? [columns(ofKeys, first, keyHeads), columns(ofKeys, first + keyHeads, keyHeads)] : [k!, v!];
    const rest = { ...options, ...(lengths && { lengths }), ...(bias && { bias }), ...(dropout && { dropout: { probability: dropout, key: key! } }) };
    if (how === "fused") return { y: attention(queries, keys, values, { ...rest, rotary: { table: table!, interleaved, keys: turnsKeys } }) };
    const place = ends ? { lengths: ends } : { begin: keys.shape[1]! - queries.shape[1]! };
    return { y: attention(rotaryEmbedding(queries, table!, { interleaved, ...place }), turnsKeys ? rotaryEmbedding(keys, table!, { interleaved }) : keys, values, rest) };
  };
}

const withGradients = (fn: TracedFunction, wrt: readonly string[]): TracedFunction => (tensors) => {
  const y = fn(tensors)["y"]!;
  return { y, ...Object.fromEntries(gradients(sum(mul(y, y)), wrt.map((name) => tensors[name]!)).map((gradient, i) => [wrt[i]!, gradient])) };
};

/** Expects the same numbers of either way by the reference; gives the ops of the fused one. */
function checkFusion(sizes: Case): string[] {
  const { wrt, inputs } = inputsOf(sizes);
  const [fused, apart] = (["fused", "apart"] as const).map((how) => withGradients(attend(sizes, how), wrt)) as [TracedFunction, TracedFunction];
  const [actual, wanted] = [reference(fused, inputs), reference(apart, inputs)];
  for (const name of ["y", ...wrt]) expectClose(actual[name]!.data, wanted[name]!.data, 1e-12, name);
  const types = Object.fromEntries(Object.entries(inputs).map(([name, { shape, data }]) => [name, { dtype: dtypeOf(data), shape }]));
  return trace("fused", types, fused).nodes.map(({ op }) => op.name);
}

const causal = { causal: true };

describe("attention with rotary embedding", () => {
  it.each<Case>([
    { queries: 6, keys: 6, headDim: 8, dims: 8 },
    { queries: 5, keys: 5, headDim: 8, dims: 8, interleaved: true, options: causal },
    { queries: 3, keys: 7, headDim: 64, dims: 16, joined: "kv", options: causal },
    { queries: 7, keys: 3, headDim: 20, dims: 12, joined: "kv", interleaved: true, options: causal },
    { queries: 9, keys: 9, headDim: 16, dims: 16, joined: "qkv", options: { causal: true, window: 3 } },
    { queries: 6, keys: 6, headDim: 12, dims: 4, joined: "qkv", interleaved: true, options: { window: 4, softCap: 3 } },
    { queries: 1, keys: 9, headDim: 16, dims: 8, lengths: [9, 4], options: causal },
    { queries: 3, keys: 9, headDim: 16, dims: 16, lengths: [12, 2], options: causal },
    { queries: 2, keys: 9, headDim: 16, dims: 16, lengths: [9, 0], turnsKeys: false, options: causal },
    { queries: 4, keys: 6, headDim: 128, dims: 128, turnsKeys: false, joined: "kv", dropout: 0.3 },
  ])("is attention of turned queries and keys, with no op between, %o", (sizes) => {
    expect(checkFusion(sizes)).not.toContain("rotaryEmbedding");
  });

  it.each<Case>([
    { queries: 3, keys: 4, headDim: 7, dims: 6, options: causal },
    { queries: 3, keys: 4, headDim: 12, dims: 12, options: causal },
    { queries: 3, keys: 3, headDim: 6, dims: 4, interleaved: true, joined: "qkv" },
    { queries: 2, keys: 5, headDim: 6, dims: 2, lengths: [8, 3], turnsKeys: false, options: causal },
    { queries: 3, keys: 4, headDim: 8, dims: 8, bias: true, options: causal },
  ])("turns them by ops of their own where its kernels cannot, %o", (sizes) => {
    expect(checkFusion(sizes)).toContain("rotaryEmbedding");
  });

  it.each<Case>([
    { queries: 40, keys: 40, headDim: 64, dims: 64, joined: "qkv", options: causal },
    { queries: 3, keys: 9, headDim: 20, dims: 12, interleaved: true, joined: "kv", lengths: [12, 4], options: { causal: true, window: 5 } },
  ])("runs forward and backward, %o", async (sizes) => {
    const { inputs, wrt } = inputsOf(sizes);
    await checkWithGradients(device, attend(sizes, "fused"), inputs, wrt);
  });

  it.each<Case>([
    { queries: 1, keys: 9, headDim: 32, dims: 32, lengths: [9, 4], options: causal },
    { queries: 5, keys: 6, headDim: 128, dims: 40, turnsKeys: false },
  ])("runs forward, %o", (sizes) => checkForward(device, attend(sizes, "fused"), inputsOf(sizes).inputs));

  it("has right gradients", async () => {
    const sizes: Case = { queries: 3, keys: 4, headDim: 8, dims: 8, dropout: 0.3, options: causal };
    const { inputs, wrt } = inputsOf(sizes);
    await checkGradients(device, attend(sizes, "fused"), inputs, wrt);
  });

  it("refuses a table that does not fit", () => {
    const sizes: Case = { queries: 2, keys: 9, headDim: 8, dims: 8 };
    const run = (table: HostTensor) => () => reference(attend(sizes, "fused"), { ...inputsOf(sizes).inputs, table });
    expect(run(rotaryTable({ length: 8, dims: 8 }))).toThrow("[attention] the rotary table has 8 positions, 9 are needed; make a longer one");
    expect(run(rotaryTable({ length: 9, dims: 10 }))).toThrow("[attention] the rotary table must be [positions, dims] with dims even and at most headDim 8, got [9, 10]; rotaryTable() makes one");
    expect(run(randomTensor([9, 3], 1))).toThrow("with dims even and at most headDim 8, got [9, 3]");
    expect(run(randomTensor([72], 1))).toThrow("must be [positions, dims]");
    expect(run({ shape: [9, 8], data: new Int32Array(72) })).toThrow("[attention] the rotary table must be f32, got i32");
  });
});
