import { HeddleError } from "../../errors.ts";
import { defineKernel, linearWorkgroups, type Kernel } from "../../program/kernel.ts";
import { defineOp, type LowerContext } from "../../program/op.ts";
import type { Tensor } from "../../program/tensor.ts";
import { asTensor, emitOne, type TensorLike } from "../../program/trace.ts";
import { formatShape, normalizeAxis, sizeOf, stridesOf, type ComputedDType, type Shape } from "../../program/types.ts";
import type { NdArray, ReferenceContext } from "../../reference/ndarray.ts";
import { reshape } from "../reshape/op.ts";

interface TransposeAttributes {
  permutation: readonly number[];
}

const WORKGROUP_SIZE = 32;
/** Axes that the kernel knows. Neighbouring axes that stay together count as one, so this is rarely reached. */
const MAX_AXES = 6;

/** One element (or four along the last axis) an invocation; `stride i` is the input's stride of output axis i. */
function transposeKernel(dtype: ComputedDType, width: 1 | 4): Kernel {
  const element = width === 4 ? `vec4<${dtype}>` : dtype;
  const axes = Array.from({ length: MAX_AXES }, (_, axis) => axis);
  return defineKernel({
    label: `transpose/${dtype}/x${width}`,
    reads: { x: `array<${element}>` },
    writes: { y: `array<${element}>` },
    params: Object.fromEntries(axes.flatMap((axis) => [[`extent${axis}`, "u32"], [`stride${axis}`, "u32"]])),
    workgroupSize: [WORKGROUP_SIZE],
    linear: true,
    body: `
  var rest = index;
  var at = 0u;
${axes.toReversed().map((axis) => `  at += (rest % p.extent${axis}) * p.stride${axis};\n  rest /= p.extent${axis};`).join("\n")}
  y[index] = x[at];`,
  });
}

const kernelsOf = (dtype: ComputedDType) => ({ 1: transposeKernel(dtype, 1), 4: transposeKernel(dtype, 4) });
const kernels = { f32: kernelsOf("f32"), i32: kernelsOf("i32"), u32: kernelsOf("u32") };

/** Drops axes of extent 1 and joins input axes that stay neighbours: fewer axes, longer runs. */
function joinAxes(shape: Shape, permutation: readonly number[]): { extents: number[]; strides: number[] } {
  const inputStrides = stridesOf(shape);
  const extents: number[] = [];
  const strides: number[] = [];
  for (const axis of permutation) {
    const extent = shape[axis]!;
    if (extent === 1) continue;
    const last = extents.length - 1;
    if (last >= 0 && strides[last] === extent * inputStrides[axis]!) {
      extents[last]! *= extent;
      strides[last] = inputStrides[axis]!;
    } else {
      extents.push(extent);
      strides.push(inputStrides[axis]!);
    }
  }
  return { extents, strides };
}

function lower({ attributes: { permutation }, inputs: [x], outputs: [y], dispatch }: LowerContext<TransposeAttributes>): void {
  const { extents, strides } = joinAxes(x!.type.shape, permutation);
  if (extents.length > MAX_AXES) {
    throw new HeddleError("LIMIT_EXCEEDED", `[transpose] ${formatShape(x!.type.shape)} by (${permutation.join(", ")}) moves ${extents.length} axes apart, at most ${MAX_AXES} are supported; transpose in two steps`);
  }
  const vectors = strides.at(-1) === 1 && extents.at(-1)! % 4 === 0 && strides.slice(0, -1).every((stride) => stride % 4 === 0);
  const width = vectors ? 4 : 1;
  const params: Record<string, number> = {};
  for (let axis = 0; axis < MAX_AXES; axis++) {
    const from = axis - (MAX_AXES - extents.length);
    const last = from === extents.length - 1;
    params[`extent${axis}`] = from < 0 ? 1 : last ? extents[from]! / width : extents[from]!;
    params[`stride${axis}`] = from < 0 ? 0 : last ? strides[from]! : strides[from]! / width;
  }
  const count = sizeOf(y!.type.shape) / width;
  dispatch({ kernel: kernels[x!.type.dtype as ComputedDType][width], buffers: [x!, y!], params: { count, ...params }, workgroups: linearWorkgroups(count, WORKGROUP_SIZE), flops: 0, bytes: 8 * count * width });
}

function reference([x]: readonly NdArray[], { permutation }: TransposeAttributes, context: ReferenceContext): NdArray[] {
  const y = context.zeros(x!.dtype, permutation.map((axis) => x!.shape[axis]!));
  const strides = stridesOf(x!.shape);
  const outputStrides = stridesOf(y.shape);
  for (let i = 0; i < y.data.length; i++) {
    let at = 0;
    permutation.forEach((axis, k) => (at += (Math.floor(i / outputStrides[k]!) % y.shape[k]!) * strides[axis]!));
    y.data[i] = x!.data[at]!;
  }
  return [y];
}

const transposeOp = defineOp<TransposeAttributes>({
  name: "transpose",
  infer: ([x], { permutation }) => [{ dtype: x!.dtype, shape: permutation.map((axis) => x!.shape[axis]!) }],
  vjp: ({ gradients: [g], attributes: { permutation } }) => [transpose(g!, permutation.map((_, axis) => permutation.indexOf(axis)))],
  reference,
  lower,
  onnx: ({ graph, inputs: [x], attributes: { permutation } }) => [graph.op("Transpose", [x!.value], { perm: permutation })],
});

/**
 * The axes of `x` in another order: output axis i is input axis permutation[i], as torch.permute. A permutation that moves
 * only axes of extent 1 costs nothing.
 *
 * @param permutation every axis once; all axes in reverse by default. Negative axes count from the end.
 * @throws INVALID_ARGUMENT; LIMIT_EXCEEDED where more than 6 axes part from each other
 */
export function transpose(x: TensorLike, permutation?: readonly number[]): Tensor {
  const tensor = asTensor(x);
  const axes = (permutation ?? tensor.shape.map((_, axis) => tensor.rank - 1 - axis)).map((axis) => normalizeAxis(axis, tensor.rank, "transpose"));
  if (axes.length !== tensor.rank || new Set(axes).size !== tensor.rank) {
    throw new HeddleError("INVALID_ARGUMENT", `[transpose] the permutation of ${formatShape(tensor.shape)} must name each of its ${tensor.rank} axes once, got (${axes.join(", ")})`);
  }
  const moved = axes.filter((axis) => tensor.shape[axis] !== 1);
  if (moved.every((axis, i) => i === 0 || moved[i - 1]! < axis)) return reshape(tensor, axes.map((axis) => tensor.shape[axis]!));
  return emitOne(transposeOp, [tensor], { permutation: axes });
}
