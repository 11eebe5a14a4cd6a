import { describe, expect, it } from "vitest";
import type { AdapterProfile } from "../../device/profile.ts";
import { gradients } from "../../program/autodiff.ts";
import { compile } from "../../program/compile.ts";
import { toFloat16 } from "../../program/float16.ts";
import { emit, type TracedFunction } from "../../program/trace.ts";
import { checkForward, checkGradients, randomTensor, reference } from "../../testing/check.ts";
import { testDevice } from "../../testing/devices.ts";
import { sum } from "../reduce/op.ts";
import type { MatmulKernel } from "./choose.ts";
import { lowerMatmul } from "./op.wgsl.ts";
import { matmul, matmulOp, type MatmulAttributes, type MatmulExtra, type MatmulOptions } from "./op.ts";

const device = await testDevice();

const operands = (m: number, k: number, n: number, { transposeA = false, transposeB = false }: { transposeA?: boolean; transposeB?: boolean } = {}, lead: number[] = []) => ({
  a: randomTensor([...lead, ...(transposeA ? [k, m] : [m, k])], 1),
  b: randomTensor(transposeB ? [n, k] : [k, n], 2),
});
const product = (options: Omit<MatmulOptions, "bias"> = {}): TracedFunction => ({ a, b, bias }) => ({ y: matmul(a!, b!, { ...options, ...(bias && { bias }) }) });
const transposes = [
  { transposeA: false, transposeB: false },
  { transposeA: false, transposeB: true },
  { transposeA: true, transposeB: false },
  { transposeA: true, transposeB: true },
];

describe("matmul", () => {
  it.each(transposes)("equals the reference at odd sizes, %o", async (options) => {
    for (const [m, k, n] of [[1, 1, 1], [3, 5, 7], [17, 33, 9], [33, 130, 65], [64, 32, 128], [20, 36, 68], [130, 17, 12]] as const) {
      await checkForward(device, product(options), operands(m, k, n, options));
    }
  });

  it("multiplies batches, and lets one matrix serve all", async () => {
    const cases: [number[], number[], number[]][] = [
      [[3, 5, 7], [3, 7, 9], [3, 5, 9]],
      [[2, 3, 17, 8], [2, 3, 8, 20], [2, 3, 17, 20]],
      [[2, 3, 17, 8], [8, 20], [2, 3, 17, 20]],
      [[17, 8], [4, 8, 20], [4, 17, 20]],
      [[1, 17, 8], [4, 8, 20], [4, 17, 20]],
      [[4, 17, 8], [1, 8, 20], [4, 17, 20]],
    ];
    for (const [a, b, y] of cases) {
      const inputs = { a: randomTensor(a, 1), b: randomTensor(b, 2) };
      expect(reference(product(), inputs)["y"]!.shape).toEqual(y);
      await checkForward(device, product(), inputs);
    }
    await checkForward(device, product({ transposeA: true }), { a: randomTensor([5, 7, 18], 1), b: randomTensor([7, 12], 2) });
  });

  it("goes past 65,535 workgroups in one dimension", async () => {
    await checkForward(device, product(), { a: randomTensor([70_000, 1, 9], 1), b: randomTensor([70_000, 9, 8], 2) });
  });

  it.each(["linear", "relu", "gelu", "gelu_new", "silu", "tanh"] as const)("adds the bias and applies %s", async (activation) => {
    for (const [m, k, n] of [[17, 40, 64], [9, 8, 66], [3, 700, 2]] as const) {
      await checkForward(device, product({ activation }), { ...operands(m, k, n), bias: randomTensor([n], 3) }, 2e-5);
    }
  });

  it.each(["residual", "gate"] as const)("ends with a %s where a rewrite asks for it", async (kind) => {
    const extra: MatmulExtra = kind === "residual" ? { kind } : { kind, activation: "silu" };
    const attributes: MatmulAttributes = { transposeA: false, transposeB: false, bias: true, activation: "relu", extra };
    const fn: TracedFunction = ({ a, b, bias, other }) => ({ y: emit(matmulOp, [a!, b!, bias!, other!], attributes)[0]! });
    for (const [m, k, n] of [[17, 40, 64], [9, 8, 66], [16, 2048, 12], [3, 5, 2]] as const) {
      await checkForward(device, fn, { ...operands(m, k, n), bias: randomTensor([n], 3), other: randomTensor([m, n], 4) }, 2e-5);
    }
  });

  it.each(transposes)("has right gradients, %o", async (options) => {
    for (const [m, k, n] of [[3, 5, 9], [6, 16, 12]] as const) {
      await checkGradients(device, product(options), { ...operands(m, k, n, options, [2]), bias: randomTensor([n], 3) }, ["a", "b", "bias"]);
    }
  });

  it("has right gradients through batches and broadcasting", async () => {
    for (const [a, b] of [[[2, 3, 4], [2, 4, 9]], [[3, 4], [2, 4, 9]], [[1, 3, 4], [2, 4, 9]]]) {
      await checkGradients(device, product(), { a: randomTensor(a!, 1), b: randomTensor(b!, 2) }, ["a", "b"]);
      await checkGradients(device, product({ transposeB: true }), { a: randomTensor(a!, 1), b: randomTensor([...b!.slice(0, -2), 9, 4], 2) }, ["a", "b"]);
    }
  });

  it.each(["gelu", "gelu_new", "silu", "tanh"] as const)("has right gradients through %s in the epilogue", async (activation) => {
    await checkGradients(device, product({ activation }), { ...operands(5, 12, 16), bias: randomTensor([16], 3) }, ["a", "b", "bias"]);
  });

  it.runIf(device.kind === "webgpu")("keeps the pre-activation only where a gradient wants it", () => {
    const types = { a: { dtype: "f32", shape: [64, 32] }, b: { dtype: "f32", shape: [32, 64] } } as const;
    using inference = compile(device, "inference", ({ a, b }) => ({ y: matmul(a!, b!, { activation: "gelu" }) }));
    using plain = compile(device, "plain", ({ a, b }) => ({ y: matmul(a!, b!) }));
    expect(inference.plan(types).workspaceBytes).toBe(plain.plan(types).workspaceBytes);
    using training = compile(device, "training", ({ a, b }) => {
      const y = matmul(a!, b!, { activation: "gelu" });
      return { y, da: gradients(sum(y), [a!])[0]! };
    });
    expect(training.plan(types).workspaceBytes).toBeGreaterThan(inference.plan(types).workspaceBytes);
  });

  it.each(transposes)("reads a weight stored in half precision, %o, and gives it no gradient", async (options) => {
    for (const [m, k, n] of [[3, 5, 7], [9, 12, 16], [1, 64, 2]] as const) {
      const { a, b } = operands(m, k, n, options);
      const inputs = { a, b: { shape: b.shape, data: toFloat16(b.data) }, bias: randomTensor([n], 3) };
      await checkForward(device, product(options), inputs);
      await checkGradients(device, product(options), inputs, ["a", "bias"]);
    }
  });

  it("splits a long k, with the same result every time", async () => {
    const inputs = { a: randomTensor([2048, 16], 1), b: randomTensor([2048, 24], 2), bias: randomTensor([24], 3) };
    const fn = product({ transposeA: true, activation: "relu" });
    await checkForward(device, fn, inputs);
    using compiled = compile(device, "split", fn);
    const first = (await compiled.run(inputs))["y"]!.data;
    for (let run = 0; run < 3; run++) expect([...(await compiled.run(inputs))["y"]!.data]).toEqual([...first]);
  });

  it("takes empty operands; an empty k gives the bias", async () => {
    for (const [m, k, n] of [[0, 8, 8], [8, 8, 0], [8, 0, 12]] as const) {
      await checkForward(device, product(), { ...operands(m, k, n), bias: randomTensor([n], 3) });
    }
  });

  it("stays finite at extreme values", async () => {
    const a = { shape: [2, 16], data: new Float32Array(32).fill(1e3) };
    const b = { shape: [16, 16], data: Float32Array.from({ length: 256 }, (_, i) => (i % 2 === 0 ? 1e3 : -1e3)) };
    for (const activation of ["gelu", "gelu_new", "silu", "tanh"] as const) await checkForward(device, product({ activation }), { a, b });
  });

  it("refuses what does not fit, and says how to fix it", () => {
    const run = (a: number[], b: number[], options = {}) => () => reference(product(options), { a: randomTensor(a, 1), b: randomTensor(b, 2) });
    expect(run([4, 8], [7, 3])).toThrow("[matmul] a [4, 8] · b [7, 3]: inner sizes 8 and 7 differ");
    expect(run([4, 8], [7, 3], { transposeB: true })).toThrow("[matmul] a [4, 8] · b [7, 3]ᵀ: inner sizes 8 and 3 differ");
    expect(run([2, 4, 8], [3, 8, 3])).toThrow("leading axes [2] and [3] must be equal");
    expect(run([8], [8, 3])).toThrow("two axes or more");
    expect(run([4, 8], [8, 3], { activation: "geglu" })).toThrow("there is no activation");
    const withBias = () => reference(product(), { a: randomTensor([4, 8], 1), b: randomTensor([8, 3], 2), bias: randomTensor([4], 3) });
    expect(withBias).toThrow("the bias must be f32 [3]");
    const integers = () => reference(product(), { a: { shape: [1, 1], data: Int32Array.of(1) }, b: randomTensor([1, 1], 2) });
    expect(integers).toThrow("wants f32 operands, b may be f16, got i32 and f32");
  });
});

/** Products of few rows, as real GPUs do them: through workgroup memory, where the lanes of no adapter here are subgroups of 32. */
describe("design gemv", () => {
  it.each(["f32", "f16"] as const)("equals the reference with weights in %s", async (format) => {
    for (const [rows, m, k, n, splits] of [[1, 1, 64, 9, 1], [4, 3, 100, 8, 1], [4, 9, 1028, 6, 3]] as const) {
      const op: typeof matmulOp = { ...matmulOp, lower: (context) => lowerMatmul({ ...context, design: { name: "gemv", kernel: { kind: "gemv", rows, reduce: "workgroup" }, splits } }) };
      const { a, b } = operands(m, k, n, { transposeB: true }, [2]);
      const weight = format === "f16" ? { shape: [n, k], data: toFloat16(b.data.slice(0, n * k)) } : b;
      const fn: TracedFunction = ({ a: x, w, bias, residual }) => ({ y: emit(op, [x!, w!, bias!, residual!], { transposeA: false, transposeB: true, bias: true, activation: "silu", extra: { kind: "residual" } })[0]! });
      await checkForward(device, fn, { a, w: weight, bias: randomTensor([n], 3), residual: randomTensor([2, m, n], 4) }, 2e-5);
    }
  });
});

/** Quads and octets are for adapters with subgroups of so many lanes. */
function suited(kernel: MatmulKernel, { features, subgroupMinSize }: AdapterProfile): MatmulKernel {
  const needs = { none: 0, quad: 4, octet: 8 };
  return kernel.kind === "register" && (features.has("subgroups") ? subgroupMinSize : 0) < needs[kernel.share] ? { ...kernel, share: "none" } : kernel;
}

/** Every design with every layout on whatever adapter runs the tests, so that those for real GPUs are proven too. */
describe.each<[string, MatmulKernel]>([
  ["naive", { kind: "naive" }],
  ["quad", { kind: "register", rows: 4, columns: 4, lanes: [8, 1], share: "quad" }],
  ["octet", { kind: "register", rows: 4, columns: 8, lanes: [8, 1], share: "octet" }],
  ["direct", { kind: "register", rows: 4, columns: 4, lanes: [8, 4], share: "none" }],
  ["workgroup", { kind: "workgroup", rows: 4, columns: 4, lanes: [8, 8], depth: 8, stages: 2 }],
  ["workgroup, along k", { kind: "workgroup", rows: 4, columns: 4, lanes: [8, 8], depth: 8, stages: 2, alongK: true }],
])("design %s", (name, kernel) => {
  const forced = (splits: number): typeof matmulOp => ({
    ...matmulOp,
    lower: (context) => lowerMatmul({ ...context, adapter: { ...context.adapter, kind: "unknown" }, design: { name, kernel: suited(kernel, context.adapter), splits } }),
  });
  const turns = kernel.kind === "workgroup" && kernel.alongK ? transposes.filter(({ transposeA }) => !transposeA) : transposes;
  it.each(turns)("equals the reference, %o", async (options) => {
    const attributes: MatmulAttributes = { ...options, bias: true, activation: "identity" };
    // Splitting needs texts of its own, and a workgroup tile takes a CPU driver seconds: once is enough.
    const split = options.transposeA || options.transposeB ? [] : [[36, 44, 68, 3] as const];
    for (const [m, k, n, splits] of [[36, 44, 68, 1] as const, [33, 22, 66, 1] as const, [9, 24, 68, 1] as const, ...split]) {
      const op = forced(splits);
      const fn: TracedFunction = ({ a, b, bias }) => ({ y: emit(op, [a!, b!, bias!], attributes)[0]! });
      await checkForward(device, fn, { ...operands(m, k, n, options), bias: randomTensor([n], 3) });
    }
  });
});
