import { HeddleError } from "../../errors.ts";
import { defineKernel, linearWorkgroups, type Kernel } from "../../program/kernel.ts";
import type { BufferRef } from "../../program/lowering.ts";
import { defineOp, type LowerContext } from "../../program/op.ts";
import type { Tensor } from "../../program/tensor.ts";
import { constant, emitOne, type TensorLike } from "../../program/trace.ts";
import { sizeOf } from "../../program/types.ts";
import type { NdArray, ReferenceContext } from "../../reference/ndarray.ts";
import { onnxGlobalNorm } from "./op.onnx.ts";
import { add, div, less, where } from "../elementwise/arithmetic.ts";

const WORKGROUP_SIZE = 32;
const ELEMENTS_PER_LANE = 1024;
const MAX_LANES = 2048;
/** Partial sums that one lane adds up at the end. */
const LAST_LANES = 64;

/** Lane i adds x[i], x[i + lanes], … (or their squares) in order and leaves the sum in its slot. */
function sumKernel(width: 1 | 4, squares: boolean): Kernel {
  const type = width === 4 ? "vec4f" : "f32";
  return defineKernel({
    label: `globalNorm/${squares ? "squares" : "fold"}/x${width}`,
    reads: { x: `array<${type}>` },
    writes: { partial: "array<f32>" },
    params: { size: "u32", slot: "u32" },
    workgroupSize: [WORKGROUP_SIZE],
    linear: true,
    body: `
  var total = ${type}(0);
  for (var i = index; i < p.size; i += p.count) { total += ${squares ? "x[i] * x[i]" : "x[i]"}; }
  partial[p.slot + index] = ${width === 4 ? "dot(total, vec4f(1))" : "total"};`,
  });
}

const squaresKernels = { 1: sumKernel(1, true), 4: sumKernel(4, true) };
const foldKernel = sumKernel(1, false);
const rootKernel = defineKernel({
  label: "globalNorm/root",
  reads: { x: "array<f32>" },
  writes: { norm: "array<f32>" },
  params: { size: "u32" },
  workgroupSize: [1],
  body: `
  var total = 0.0;
  for (var i = 0u; i < p.size; i++) { total += x[i]; }
  norm[0] = sqrt(total);`,
});

function lower({ inputs, outputs, scratch, dispatch }: LowerContext<object>): void {
  const lanesOf = (size: number) => Math.min(MAX_LANES, Math.ceil(size / ELEMENTS_PER_LANE));
  const slots = inputs.reduce((total, { type }) => total + lanesOf(sizeOf(type.shape)), 0);
  const partial = scratch({ dtype: "f32", shape: [slots] });
  let slot = 0;
  for (const gradient of inputs) {
    const size = sizeOf(gradient.type.shape);
    const count = lanesOf(size);
    const width = size % 4 === 0 ? 4 : 1;
    dispatch({ kernel: squaresKernels[width], buffers: [gradient, partial], params: { count, size: size / width, slot }, workgroups: linearWorkgroups(count, WORKGROUP_SIZE), flops: 2 * size, bytes: 4 * (size + count) });
    slot += count;
  }
  const fold = (x: BufferRef, lanes: number): BufferRef => {
    const y = scratch({ dtype: "f32", shape: [lanes] });
    dispatch({ kernel: foldKernel, buffers: [x, y], params: { count: lanes, size: slots, slot: 0 }, workgroups: linearWorkgroups(lanes, WORKGROUP_SIZE), flops: slots, bytes: 4 * (slots + lanes) });
    return y;
  };
  const last = slots > LAST_LANES ? fold(partial, LAST_LANES) : partial;
  const size = Math.min(slots, LAST_LANES);
  dispatch({ kernel: rootKernel, buffers: [last, outputs[0]!], params: { size }, workgroups: [1, 1, 1], flops: size, bytes: 4 * (size + 1) });
}

function reference(inputs: readonly NdArray[], _: object, context: ReferenceContext): NdArray[] {
  const y = context.zeros("f32", []);
  let total = 0;
  for (const { data } of inputs) for (const value of data) total += value * value;
  y.data[0] = Math.sqrt(total);
  return [y];
}

const globalNormOp = defineOp({
  name: "globalNorm",
  infer(inputs) {
    const wrong = inputs.find(({ dtype }) => dtype !== "f32");
    if (wrong) throw new HeddleError("DTYPE_MISMATCH", `[globalNorm] wants f32 gradients, got ${wrong.dtype}`);
    return [{ dtype: "f32", shape: [] }];
  },
  reference,
  lower,
  onnx: onnxGlobalNorm,
});

/**
 * √(Σ x²) over all elements of all tensors: the norm that gradient clipping looks at. It adds in a fixed order.
 *
 * @param gradients f32 of any shapes; none have norm 0
 * @returns f32 []
 * @throws DTYPE_MISMATCH
 */
export function globalNorm(gradients: readonly TensorLike[]): Tensor {
  return gradients.length === 0 ? constant(0) : emitOne(globalNormOp, gradients, {});
}

/**
 * What gradients of this norm are multiplied with to clip it, as torch.nn.utils.clip_grad_norm_: min(1, maxNorm / (norm +
 * 1e-6)).
 *
 * @param norm f32 []
 * @param maxNorm positive
 * @returns f32 []
 * @throws INVALID_ARGUMENT
 */
export function clipScale(norm: TensorLike, maxNorm: number): Tensor {
  if (!(maxNorm > 0)) throw new HeddleError("INVALID_ARGUMENT", `[clipScale] maxNorm must be positive, got ${maxNorm}; 1 is usual, and leaving clipping out switches it off`);
  const scale = div(maxNorm, add(norm, 1e-6));
  return where(less(scale, 1), scale, 1);
}
