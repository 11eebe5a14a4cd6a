// Programs of the sizes that models have, where kernels for large work are chosen: for the check of kernels that need no GPU.
import { describe, expect, it } from "vitest";
import type { State } from "../device/device.ts";
import { gradients } from "../program/autodiff.ts";
import { compile } from "../program/compile.ts";
import type { Tensor } from "../program/tensor.ts";
import { type TensorLike, type TracedFunction } from "../program/trace.ts";
import { partTypes, QUANTIZATION_FORMATS } from "./quantize/format.ts";
import type { DType, Shape, TensorType } from "../program/types.ts";
import { testDevice } from "../testing/devices.ts";
import type { ValidatingDevice } from "../testing/validating-device.ts";
import { attention } from "./attention/op.ts";
import { crossEntropy } from "./crossentropy/op.ts";
import { add, mul } from "./elementwise/arithmetic.ts";
import { cast } from "./elementwise/unary.ts";
import { embedding } from "./embedding/op.ts";
import { layerNorm } from "./layernorm/op.ts";
import { matmul } from "./matmul/op.ts";
import { adamW } from "./optimizer/adamw.ts";
import { clipScale, globalNorm } from "./optimizer/global-norm.ts";
import { quantizedMatmul } from "./quantizedmatmul/op.ts";
import { reshape } from "./reshape/op.ts";
import { argmax } from "./topk/op.ts";
import { silu } from "./activation/op.ts";

const device = (await testDevice()) as ValidatingDevice;

const HIDDEN = 512;
const HEADS = 8;
const VOCABULARY = 4096;

const types = (shapes: Record<string, Shape>, dtype: DType = "f32"): Record<string, TensorType> => Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, { dtype, shape }]));
const layer = { query: [HIDDEN, HIDDEN], key: [HIDDEN, HIDDEN], value: [HIDDEN, HIDDEN], output: [HIDDEN, HIDDEN], up: [4 * HIDDEN, HIDDEN], down: [HIDDEN, 4 * HIDDEN], scale: [HIDDEN], shift: [HIDDEN] };

/** x [B, T, hidden] through one post-norm layer of BERT's kind. */
function encoderLayer(x: Tensor, w: Record<keyof typeof layer, TensorLike>, causal: boolean, mask?: Tensor): Tensor {
  const heads = (y: Tensor) => reshape(y, [...y.shape.slice(0, 2), HEADS, HIDDEN / HEADS]);
  const [q, k, v] = [w.query, w.key, w.value].map((weight) => heads(matmul(x, weight, { transposeB: true, bias: w.shift })));
  const mixed = reshape(attention(q!, k!, v!, { causal, ...(mask && { mask }) }), x.shape);
  const attended = layerNorm(add(matmul(mixed, w.output, { transposeB: true, bias: w.shift }), x), w.scale, w.shift, 1e-5);
  const wide = matmul(attended, w.up, { transposeB: true, activation: "gelu" });
  return layerNorm(add(matmul(wide, w.down, { transposeB: true }), attended), w.scale, w.shift, 1e-5);
}

async function check(fn: TracedFunction, inputs: Record<string, TensorType>): Promise<void> {
  using compiled = compile(device, "model", fn);
  await compiled.warmup([inputs]);
}

describe("programs of a model's size have valid kernels", () => {
  it("an encoder's forward pass and training step", async () => {
    const states: State[] = [];
    const state = (name: string, shape: Shape) => (states.push(device.createState(name, { dtype: "f32", shape })), states.at(-1)!);
    const parameters = { table: state("table", [VOCABULARY, HIDDEN]), ...Object.fromEntries(Object.entries(layer).map(([name, shape]) => [name, state(name, shape)])) } as Record<"table" | keyof typeof layer, State>;
    const moments = Object.values(parameters).map(({ name, type }) => [state(`${name}.m`, type.shape), state(`${name}.v`, type.shape)] as const);
    const logits = (ids: Tensor, mask: Tensor) => matmul(encoderLayer(embedding(parameters.table, ids), parameters, false, mask), parameters.table, { transposeB: true });
    const batch = types({ ids: [8, 64], labels: [8, 64], mask: [8, 64] }, "i32");
    await check(({ ids, mask }) => ({ best: argmax(logits(ids!, mask!)) }), batch);
    await check(({ ids, mask, labels, learningRate, biasCorrection1, biasCorrection2 }) => {
      const loss = crossEntropy(logits(ids!, mask!), labels!);
      const grads = gradients(loss, Object.values(parameters));
      const scale = clipScale(globalNorm(grads), 1);
      Object.values(parameters).forEach((parameter, i) => adamW({ parameter, gradient: grads[i]!, firstMoment: moments[i]![0], secondMoment: moments[i]![1], learningRate: learningRate!, biasCorrection1: biasCorrection1!, biasCorrection2: biasCorrection2!, scale }));
      return { loss };
    }, { ...batch, ...types({ learningRate: [], biasCorrection1: [], biasCorrection2: [] }) });
    for (const one of states) one.dispose();
  });

  it("a causal decoder, its prompt and one token with weights in half precision", async () => {
    for (const tokens of [64, 1]) {
      const half = types(layer, "f16");
      await check(({ ids, table, scale, shift, ...weights }) => {
        const x = encoderLayer(embedding(table!, ids!), { ...weights, scale: scale!, shift: shift! } as never, true);
        return { best: argmax(matmul(x, table!, { transposeB: true })) };
      }, { ...half, ...types({ scale: [HIDDEN], shift: [HIDDEN] }), table: { dtype: "f16", shape: [VOCABULARY, HIDDEN] }, ids: { dtype: "i32", shape: [1, tokens] } });
    }
  });

  it.each(QUANTIZATION_FORMATS)("a gated feed-forward block with weights in %s, forward and for adapters", async (format) => {
    const shapes = { gate: [4 * HIDDEN, HIDDEN], up: [4 * HIDDEN, HIDDEN], down: [HIDDEN, 4 * HIDDEN] } as const;
    const parts = Object.fromEntries(Object.entries(shapes).flatMap(([name, shape]) => Object.entries(partTypes(format, shape)).map(([part, type]) => [`${name}.${part}`, type])));
    for (const rows of [1, 4, 640]) {
      const fn: TracedFunction = (inputs) => {
        const weight = (name: keyof typeof shapes) => ({ format, shape: shapes[name], values: inputs[`${name}.values`]!, scales: inputs[`${name}.scales`]! });
        const x = inputs["x"]!;
        const y = quantizedMatmul(mul(silu(quantizedMatmul(x, weight("gate"))), quantizedMatmul(x, weight("up"))), weight("down"));
        const [dx] = gradients(crossEntropy(y, cast(inputs["labels"]!, "i32")), [x]);
        return { y, dx: dx! };
      };
      await check(fn, { ...parts, x: { dtype: "f32", shape: [rows, HIDDEN] }, labels: { dtype: "i32", shape: [rows] } });
    }
  });

  it("come from every family of kernels", () => {
    const families = [...device.kernels].map((label) => label.split("/").slice(0, 2).join("/"));
    for (const family of ["matmul/quad", "matmul/direct", "matmul/workgroup", "matmul/gemv", "matmul/subgroup-matrix"]) expect(families).toContain(family);
  });
});
