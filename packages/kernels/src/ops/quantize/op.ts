import { defineKernel, linearWorkgroups, type Kernel } from "../../program/kernel.ts";
import { kernelMemo } from "../../program/kernel-memo.ts";
import { defineOp, type LowerContext } from "../../program/op.ts";
import type { Tensor } from "../../program/tensor.ts";
import { emitOne } from "../../program/trace.ts";
import { dataBytes, sizeOf } from "../../program/types.ts";
import type { NdArray, ReferenceContext } from "../../reference/ndarray.ts";
import { weightsWgsl } from "../matmul/weights.wgsl.ts";
import { slice } from "../movement/slice.ts";
import { layoutOf, placeOfStep, weightOf, wholeBlocks, type QuantizationFormat } from "./format.ts";
import { onnxDequantize } from "./op.onnx.ts";
import { checkParts, type QuantizedWeight } from "./weight.ts";

const WORKGROUP_SIZE = 32;

export interface DequantizeAttributes {
  format: QuantizationFormat;
  shape: readonly [outputs: number, inputs: number];
}

/** f32 [outputs, inputs filled up to whole blocks]. */
export function referenceDequantize([values, scales]: readonly NdArray[], { format, shape: [outputs, inputs] }: DequantizeAttributes, context: ReferenceContext): NdArray[] {
  const { block: size, halves } = layoutOf(format);
  const y = context.zeros("f32", [outputs, wholeBlocks(inputs)]);
  const [words, numbers] = [values!.data, scales!.data];
  for (let block = 0; block * size < y.data.length; block++) {
    const scale = numbers[block * halves]!;
    const minimum = halves === 2 ? numbers[block * halves + 1]! : 0;
    for (let i = block * size; i < (block + 1) * size; i++) {
      const { word, shift } = placeOfStep(format, i);
      y.data[i] = weightOf(format, words[word]!, shift, scale, minimum);
    }
  }
  return [y];
}

const kernelOnce = kernelMemo();

function dequantizeKernel(format: QuantizationFormat): Kernel {
  const { reads, module, four } = weightsWgsl(format, 4);
  return defineKernel({
    label: `dequantize/${format}`,
    reads,
    writes: { y: "array<vec4f>" },
    module,
    workgroupSize: [WORKGROUP_SIZE],
    linear: true,
    body: `  y[index] = ${four("index")};`,
  });
}

function lowerDequantize({ attributes: { format }, inputs, outputs: [y], dispatch }: LowerContext<DequantizeAttributes>): void {
  const size = sizeOf(y!.type.shape);
  dispatch({
    kernel: kernelOnce(format, () => dequantizeKernel(format)),
    buffers: [...inputs, y!],
    params: { count: size / 4 },
    workgroups: linearWorkgroups(size / 4, WORKGROUP_SIZE),
    flops: size,
    bytes: [...inputs, y!].reduce((total, { type }) => total + dataBytes(type), 0),
  });
}

const dequantizeOp = defineOp<DequantizeAttributes>({
  name: "dequantize",
  infer([values, scales], { format, shape }) {
    checkParts("dequantize", format, shape, values!, scales!);
    return [{ dtype: "f32", shape: [shape[0], wholeBlocks(shape[1])] }];
  },
  vjp: () => [null, null],
  reference: referenceDequantize,
  lower: lowerDequantize,
  onnx: ({ graph, inputs: [values, scales], attributes }) => [onnxDequantize(graph, values!.value, scales!.value, attributes)],
  readsHalf: true,
});

/**
 * The f32 weight that a quantised one stands for. It has no gradient.
 *
 * @returns f32 [outputs, inputs]
 * @throws SHAPE_MISMATCH, DTYPE_MISMATCH
 */
export function dequantize({ format, shape, values, scales }: QuantizedWeight): Tensor {
  const whole = emitOne(dequantizeOp, [values, scales], { format, shape });
  return shape[1] === whole.shape[1] ? whole : slice(whole, { axis: 1, begin: 0, end: shape[1] });
}
