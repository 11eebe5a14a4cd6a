import { BinaryReader } from "@bufbuild/protobuf/wire";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { activation, activationNames } from "../ops/activation/op.ts";
import { attention } from "../ops/attention/op.ts";
import { broadcastTo } from "../ops/broadcast/op.ts";
import { add, div, mul } from "../ops/elementwise/arithmetic.ts";
import { cast } from "../ops/elementwise/unary.ts";
import { embedding } from "../ops/embedding/op.ts";
import { layerNorm } from "../ops/layernorm/op.ts";
import { matmul } from "../ops/matmul/op.ts";
import { concat } from "../ops/movement/concat.ts";
import { slice } from "../ops/movement/slice.ts";
import { mean, sum } from "../ops/reduce/op.ts";
import { reshape } from "../ops/reshape/op.ts";
import { compile } from "../program/compile.ts";
import { assign, type TracedFunction } from "../program/trace.ts";
import { sizeOf, type HostTensor, type Shape } from "../program/types.ts";
import { ReferenceDevice } from "../reference/device.ts";
import { expectClose, randomTensor } from "../testing/check.ts";
import { exportToOnnx, type OnnxExport, type OnnxInput } from "./export.ts";

const device = new ReferenceDevice();
const state = (name: string, shape: Shape, seed: number, scale = 0.5) => device.createState(name, { dtype: "f32", shape }, randomTensor(shape, seed, scale).data);

function integers(shape: Shape, limit: number, seed: number): HostTensor {
  return { shape, data: Int32Array.from(randomTensor(shape, seed).data, (value) => Math.floor(((value + 1) / 2) * limit)) };
}

const ORT_TYPES = { f32: "float32", i32: "int32", u32: "uint32", f16: "float16" } as const;

/** What onnxruntime makes of an exported file. */
async function runFile(file: Uint8Array, { inputs }: OnnxExport, values: Record<string, HostTensor>) {
  const session = await InferenceSession.create(file, { logSeverityLevel: 3 });
  const feeds = Object.entries(inputs)
    .filter(([name, { as }]) => session.inputNames.includes(as?.name ?? name))
    .map(([name, { as, dtype }]) => {
      const { data, shape } = values[name]!;
      return [as?.name ?? name, as?.type === "i64" ? new OrtTensor("int64", BigInt64Array.from(data as Int32Array, BigInt), shape) : new OrtTensor(ORT_TYPES[dtype], data as Float32Array, shape)];
    });
  const outputs = await session.run(Object.fromEntries(feeds));
  await session.release();
  return outputs;
}

/** Expects onnxruntime and the interpreter to agree, at every shape by one file. */
async function expectSame(options: OnnxExport, fn: TracedFunction, runs: readonly Record<string, HostTensor>[], tolerance = 1e-5): Promise<void> {
  const file = await exportToOnnx(device, options, fn);
  using compiled = compile(device, options.name, fn);
  for (const values of runs) {
    const wanted = await compiled.run(values);
    const actual = await runFile(file, options, values);
    expect(Object.keys(actual)).toEqual(Object.keys(wanted));
    for (const [name, { shape, data }] of Object.entries(wanted)) {
      expect(actual[name]!.dims).toEqual(shape);
      expectClose(actual[name]!.data as Float32Array, data, tolerance, `${name} ${shape.join("×")}`);
    }
  }
}

const SHAPES = [[1, 1], [1, 7], [4, 1], [3, 5], [2, 12], [9, 3]] as const;
const ids: OnnxInput = { dtype: "i32", shape: ["batch", "length"], as: { name: "input_ids", type: "i64" } };
const mask: OnnxInput = { dtype: "i32", shape: ["batch", "length"], as: { name: "attention_mask", type: "i64" } };

describe("exportToOnnx", () => {
  it("writes a small encoder that is right at every batch and length, 1 included", async () => {
    const [table, positions, weight, bias] = [state("table", [20, 8], 1), state("positions", [12, 8], 2), state("norm.weight", [8], 3), state("norm.bias", [8], 4)];
    const [query, key, value, up, classes] = [state("query", [8, 8], 5), state("key", [8, 8], 6), state("value", [8, 8], 7), state("up", [16, 8], 8), state("classes", [16, 3], 9)];
    const encoder: TracedFunction = ({ ids, mask }) => {
      const [batch, length] = ids!.shape as [number, number];
      const at = reshape(slice(positions, { axis: 0, begin: 0, end: length }), [1, length, 8]);
      const x = layerNorm(add(embedding(table, ids!), at), weight, bias, 1e-5);
      const heads = (w: typeof query) => reshape(matmul(x, w, { transposeB: true }), [batch, length, 2, 4]);
      const attended = reshape(attention(heads(query), heads(key), heads(value), { mask: mask! }), [batch, length, 8]);
      const hidden = matmul(add(x, attended), up, { transposeB: true, activation: "gelu" });
      const counted = reshape(cast(mask!, "f32"), [batch, length, 1]);
      const pooled = div(sum(mul(hidden, counted), { axes: [1] }), sum(counted, { axes: [1] }));
      return { hidden, logits: matmul(pooled, classes), mean: mean(hidden), first: reshape(slice(hidden, { axis: 1, begin: 0, end: 1 }), [batch, 16]) };
    };
    const runs = SHAPES.map(([batch, length], i) => {
      const attended = new Int32Array(batch * length).fill(1);
      if (length > 2) attended.fill(0, length - 2, length);
      return { ids: integers([batch, length], 20, i), mask: { shape: [batch, length], data: attended } };
    });
    await expectSame({ name: "encoder", inputs: { ids, mask } }, encoder, runs);
  });

  it("names inputs, outputs and axes as it was told, and keeps to ONNX's own operators", async () => {
    const w = state("w", [4, 3], 1);
    const options: OnnxExport = { name: "names", inputs: { ids, x: { dtype: "f32", shape: ["batch", 2, 4] } } };
    const file = await exportToOnnx(device, options, ({ ids, x }) => ({ logits: matmul(x!, w, { activation: "quick_gelu" }), joined: concat([ids!, slice(ids!, { axis: 1, begin: 0, end: 1 })], 1) }));
    const session = await InferenceSession.create(file);
    expect(session.inputMetadata).toMatchObject([
      { name: "input_ids", type: "int64", shape: ["batch", "length"] },
      { name: "x", type: "float32", shape: ["batch", 2, 4] },
    ]);
    expect(session.outputMetadata).toMatchObject([
      { name: "logits", type: "float32", shape: ["batch", 2, 3] },
      { name: "joined", type: "int32", shape: ["batch", "length+1"] },
    ]);
    expect(operatorSets(file)).toEqual([["", 21]]);
  });

  it("writes every activation, and products and attention in all their forms", async () => {
    const [square, wide, bias] = [state("square", [6, 6], 1), state("wide", [6, 4], 2), state("bias", [4], 3)];
    const x: OnnxInput = { dtype: "f32", shape: ["batch", "length", 6] };
    const runs = SHAPES.map(([batch, length], i) => ({ x: randomTensor([batch, length, 6], i, 2) }));
    await expectSame({ name: "activations", inputs: { x } }, ({ x }) => Object.fromEntries(activationNames.map((name) => [name, activation(name, x!)])), runs);
    await expectSame(
      { name: "products", inputs: { x } },
      ({ x }) => {
        const [batch, length] = x!.shape as [number, number, number];
        const grouped = reshape(x!, [batch, length, 3, 2]);
        const one = reshape(slice(x!, { axis: 2, begin: 0, end: 2 }), [batch, length, 1, 2]);
        return {
          biased: matmul(x!, wide, { bias, activation: "tanh" }),
          squared: matmul(x!, x!, { transposeB: true }),
          turned: matmul(x!, x!, { transposeA: true }),
          causal: attention(grouped, one, one, { causal: true }),
          spread: broadcastTo(reshape(matmul(x!, square), [batch, length, 1, 6]), [batch, length, 2, 6]),
        };
      },
      runs,
    );
  });

  it("takes inputs that nothing reads, and gives back an input as it came", async () => {
    const x: OnnxInput = { dtype: "f32", shape: ["n"] };
    await expectSame({ name: "unused", inputs: { unused: { ...x, shape: ["n", 2] }, x } }, ({ x }) => ({ doubled: mul(x!, 2), same: x! }), [1, 4].map((n) => ({ unused: randomTensor([n, 2], 1), x: randomTensor([n], 2) })));
  });

  it("tells an extent less one from twice another", async () => {
    const x: OnnxInput = { dtype: "f32", shape: ["batch", "length"] };
    const fn: TracedFunction = ({ x }) => ({ rest: slice(x!, { axis: 1, begin: 1 }), flat: reshape(x!, [-1]), twice: concat([x!, x!], 0) });
    await expectSame({ name: "rest", inputs: { x } }, fn, SHAPES.map(([batch, length]) => ({ x: randomTensor([batch, length + 1], 3) })));
  });
});

const largestOf = (values: ArrayLike<number>): number => Math.max(...Array.from(values, Math.abs));

/** Every other weight is next to nothing: x86 processors without VNNI cannot overflow on such neighbours (see quantize.ts). */
function sparseWeight(shape: Shape, seed: number, scale: number): HostTensor {
  const { data } = randomTensor(shape, seed, scale);
  return { shape, data: data.map((value, i) => (i % 2 === 0 ? value : value * 1e-3)) };
}

describe("limits", () => {
  const x: OnnxInput = { dtype: "f32", shape: ["batch", "length", 2] };
  const positional = (rows: number): TracedFunction => {
    const table = state("table", [rows, 2], 1);
    return ({ x }) => ({ y: add(x!, reshape(slice(table, { axis: 0, begin: 0, end: x!.shape[1]! }), [1, x!.shape[1]!, 2])) });
  };

  it.each([4, 8, 11, 12, 512])("keep the traces within a table of %i positions, and every length up to its end is right", async (rows) => {
    const lengths = [...new Set([1, 2, 3, rows - 1, rows])];
    await expectSame({ name: "positions", inputs: { x }, limits: { length: rows } }, positional(rows), lengths.map((length) => ({ x: randomTensor([2, length, 2], length) })));
  });

  it("hold for two axes at once", async () => {
    const inputs = { x, z: { dtype: "f32", shape: ["batch", "keys", 2] } } as const;
    const both: TracedFunction = ({ x, z }) => ({ scores: matmul(positional(5)({ x: x! }).y!, positional(4)({ x: z! }).y!, { transposeB: true }) });
    await expectSame({ name: "both", inputs, limits: { length: 5, keys: 4 } }, both, [{ x: randomTensor([2, 5, 2], 1), z: randomTensor([2, 1, 2], 2) }]);
  });

  it("of 3 and less are too short", async () => {
    await expect(exportToOnnx(device, { name: "short", inputs: { x }, limits: { length: 3 } }, positional(3))).rejects.toMatchObject({ code: "LIMIT_EXCEEDED", message: expect.stringContaining("length of at most 3") });
  });
});

describe("int8", () => {
  const inputs = { x: { dtype: "f32", shape: ["rows", 96] } } as const;

  it("stays within what rounding weights to 1/127 and inputs to 1/255 of their range can do", async () => {
    const weight = sparseWeight([70, 96], 1, 3);
    const w = device.createState("w", { dtype: "f32", shape: [70, 96] }, weight.data);
    const options: OnnxExport = { name: "product", inputs, int8: true };
    const fn: TracedFunction = ({ x }) => ({ y: matmul(x!, w, { transposeB: true }) });
    const file = await exportToOnnx(device, options, fn);
    expect(file.length).toBeLessThan(70 * 96 * 2);
    using exact = compile(device, "exact", fn);
    for (const rows of [1, 5]) {
      const x = randomTensor([rows, 96], 7 + rows, 4);
      const wanted = (await exact.run({ x })).y!.data;
      const actual = (await runFile(file, options, { x })).y!.data as Float32Array;
      const inputStep = (Math.max(0, ...x.data) - Math.min(0, ...x.data)) / 255;
      let largest = 0;
      for (let row = 0; row < rows; row++) {
        for (let out = 0; out < 70; out++) {
          const weights = Array.from(weight.data.subarray(out * 96, (out + 1) * 96));
          const weightStep = largestOf(weights) / 127;
          // |x|·half a step of the weight, and (|w| + that half step)·a step of the input: half for rounding, half for the zero point.
          const bound = weights.reduce((total, value, i) => total + Math.abs(x.data[row * 96 + i]!) * (weightStep / 2) + (Math.abs(value) + weightStep / 2) * inputStep, 0);
          const difference = Math.abs(actual[row * 70 + out]! - wanted[row * 70 + out]!);
          expect(difference).toBeLessThan(bound);
          largest = Math.max(largest, difference);
        }
      }
      expect(largest / largestOf(wanted)).toBeLessThan(0.02);
      expect(largest).toBeGreaterThan(0); // it is int8
    }
  });

  it("rounds the rows of embeddings, each by its own largest number", async () => {
    const table = randomTensor([80, 64], 3);
    table.data.fill(0, 0, 64);
    table.data.subarray(64, 128).forEach((value, i, row) => (row[i] = value * 1e-6));
    const embeddings = device.createState("table", { dtype: "f32", shape: [80, 64] }, table.data);
    const options: OnnxExport = { name: "rows", inputs: { ids }, int8: true };
    const file = await exportToOnnx(device, options, ({ ids }) => ({ y: embedding(embeddings, ids!) }));
    expect(file.length).toBeLessThan(80 * 64 * 2);
    const asked = { shape: [2, 2], data: Int32Array.of(0, 1, 79, 5) };
    const rows = (await runFile(file, options, { ids: asked })).y!;
    expect(rows.dims).toEqual([2, 2, 64]);
    asked.data.forEach((id, at) => {
      const wanted = table.data.subarray(id * 64, (id + 1) * 64);
      const step = largestOf(wanted) / 127;
      const actual = (rows.data as Float32Array).subarray(at * 64, (at + 1) * 64);
      for (let i = 0; i < 64; i++) expect(Math.abs(actual[i]! - wanted[i]!)).toBeLessThanOrEqual(step * 0.5001);
    });
  });

  it("leaves small weights, other inputs and products of activations as they are", async () => {
    const small = state("small", [96, 63], 1);
    const options: OnnxExport = { name: "small", inputs, int8: true };
    await expectSame(options, ({ x }) => ({ y: matmul(x!, small), gram: matmul(x!, x!, { transposeB: true }) }), [{ x: randomTensor([3, 96], 5) }]);
  });

  it("keeps one table apart from the other where embeddings and the last product share their weights", async () => {
    const table = device.createState("table", { dtype: "f32", shape: [80, 64] }, sparseWeight([80, 64], 3, 0.5).data);
    const tied: TracedFunction = ({ ids }) => ({ y: matmul(embedding(table, ids!), table, { transposeB: true }) });
    const options: OnnxExport = { name: "tied", inputs: { ids }, int8: true };
    const values = { ids: integers([2, 3], 80, 1) };
    using exact = compile(device, "tied", tied);
    const wanted = (await exact.run(values)).y!.data;
    const actual = (await runFile(await exportToOnnx(device, options, tied), options, values)).y!.data as Float32Array;
    expectClose(actual, wanted, 0.02, "tied");
  });
});

describe("what cannot be written", () => {
  const x: OnnxInput = { dtype: "f32", shape: ["batch", "length"] };

  it("a function that does something else at another shape", async () => {
    const longer: TracedFunction = ({ x }) => ({ y: x!.shape[1]! > 6 ? mul(x!, 2) : add(x!, 1) });
    await expect(exportToOnnx(device, { name: "longer", inputs: { x } }, longer)).rejects.toMatchObject({ code: "DYNAMIC_SHAPE", message: expect.stringContaining("[longer]") });
    const half: TracedFunction = ({ x }) => ({ y: slice(x!, { axis: 1, end: Math.floor(x!.shape[1]! / 2) }) });
    await expect(exportToOnnx(device, { name: "half", inputs: { x } }, half)).rejects.toMatchObject({ code: "DYNAMIC_SHAPE", message: expect.stringContaining("slice has the sizes") });
  });

  it("a function that replaces a state", async () => {
    const count = state("count", [1], 1);
    const counting: TracedFunction = ({ x }) => (assign(count, add(count, 1)), { y: mul(x!, count) });
    await expect(exportToOnnx(device, { name: "counting", inputs: { x } }, counting)).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message: expect.stringContaining("replaces state count") });
  });

  it("more dynamic axes than can be told apart", async () => {
    const inputs = { x: { dtype: "f32", shape: ["a", "b", "c", "d", "e"] } } as const;
    await expect(exportToOnnx(device, { name: "axes", inputs }, ({ x }) => ({ y: mul(x!, 2) }))).rejects.toMatchObject({ code: "LIMIT_EXCEEDED", message: expect.stringContaining("a, b, c, d, e") });
  });

  it("weights of more than 2 GiB, before they are read", async () => {
    const shape = [2 ** 15, 2 ** 14];
    expect(4 * sizeOf(shape)).toBe(2 ** 31);
    const huge = { name: "huge", type: { dtype: "f32" as const, shape }, device, disposed: false, write() {}, dispose() {} };
    const inputs = { x: { dtype: "f32", shape: ["n", 2 ** 15] } } as const;
    await expect(exportToOnnx(device, { name: "huge", inputs }, ({ x }) => ({ y: matmul(x!, huge) }))).rejects.toMatchObject({ code: "LIMIT_EXCEEDED", message: expect.stringContaining("2.0 GiB") });
  });
});

/** Of a model's opset_import, field 8: domain and version. */
function operatorSets(file: Uint8Array): [string, number][] {
  const sets: [string, number][] = [];
  const model = new BinaryReader(file);
  while (model.pos < model.len) {
    const [field, type] = model.tag();
    if (field !== 8) {
      model.skip(type);
      continue;
    }
    const set = new BinaryReader(model.bytes());
    let [domain, version] = ["", 0];
    while (set.pos < set.len) {
      if (set.tag()[0] === 1) domain = set.string();
      else version = Number(set.int64());
    }
    sets.push([domain, version]);
  }
  return sets;
}
