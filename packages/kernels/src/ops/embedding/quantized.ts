import type { OnnxContext } from "../../onnx/context.ts";
import type { Value } from "../../onnx/graph.ts";
import { defineKernel, linearWorkgroups, type Kernel } from "../../program/kernel.ts";
import { kernelMemo } from "../../program/kernel-memo.ts";
import { partOf, type BufferRef } from "../../program/lowering.ts";
import { defineOp, type LowerContext, type Op } from "../../program/op.ts";
import { dataBytes, sizeOf } from "../../program/types.ts";
import type { NdArray, ReferenceContext } from "../../reference/ndarray.ts";
import { ALIGNED_HALVES } from "../matmul/blocks.ts";
import { weightsWgsl } from "../matmul/weights.wgsl.ts";
import { partTypes, wholeBlocks, type QuantizationFormat } from "../quantize/format.ts";
import { onnxDequantize } from "../quantize/op.onnx.ts";
import { referenceDequantize, type DequantizeAttributes } from "../quantize/op.ts";
import { checkParts } from "../quantize/weight.ts";
import { checkIds } from "./ids.ts";

const WORKGROUP_SIZE = 32;

type Width = 1 | 4;

/** Rows by their ids, worked out to f32. The table is bound block by block where it is more than a binding holds: each writes the rows that it has. */
function gatherKernel(format: QuantizationFormat, width: Width): Kernel {
  const { reads, module, one, four } = weightsWgsl(format, width);
  const at = "row * p.stride + index % p.steps";
  return defineKernel({
    label: `embedding/${format}/x${width}`,
    reads: { ...reads, ids: "array<i32>" },
    writes: { y: `array<${width === 4 ? "vec4f" : "f32"}>` },
    params: { rows: "u32", steps: "u32", stride: "u32", first: "u32", held: "u32" },
    module,
    workgroupSize: [WORKGROUP_SIZE],
    linear: true,
    body: `
  let row = u32(clamp(ids[index / p.steps], 0, i32(p.rows) - 1)) - p.first;
  if (row >= p.held) { return; }
  y[index] = ${width === 4 ? four(at) : one(at)};`,
  });
}

const kernelOnce = kernelMemo();

function lower({ attributes: { format, shape }, adapter, inputs: [values, scales, ids], outputs: [y], dispatch }: LowerContext<DequantizeAttributes>): void {
  const [rows, features] = shape;
  const width: Width = features % 4 === 0 ? 4 : 1;
  const count = sizeOf(y!.type.shape) / width;
  const rowBytes = dataBytes(values!.type) / rows;
  // Blocks begin where a binding may; a table of which no block fits goes whole, and the planner says what is wrong.
  const block = Math.floor(adapter.maxStorageBufferBindingSize / Math.max(1, rowBytes) / ALIGNED_HALVES) * ALIGNED_HALVES || rows;
  for (let first = 0; first < rows; first += block) {
    const held = Math.min(block, rows - first);
    const types = partTypes(format, [held, features]);
    const part = (ref: BufferRef, of: "values" | "scales") => (held === rows ? ref : partOf(ref, (first * sizeOf(ref.type.shape)) / rows, types[of]));
    dispatch({
      kernel: kernelOnce([format, width], () => gatherKernel(format, width)),
      buffers: [part(values!, "values"), part(scales!, "scales"), ids!, y!],
      params: { count, rows, steps: features / width, stride: wholeBlocks(features) / width, first, held },
      workgroups: linearWorkgroups(count, WORKGROUP_SIZE),
      flops: 2 * width * count,
      bytes: dataBytes(y!.type) + dataBytes(ids!.type) + sizeOf(ids!.type.shape) * ((dataBytes(values!.type) + dataBytes(scales!.type)) / rows),
    });
  }
}

/** Works out the rows that ids name, and no others. */
function reference([values, scales, ids]: readonly NdArray[], { format, shape: [rows, features] }: DequantizeAttributes, context: ReferenceContext): NdArray[] {
  const y = context.zeros("f32", [...ids!.shape, features]);
  const rowOf = ({ data, dtype, shape }: NdArray, row: number): NdArray => {
    const size = data.length / rows;
    return { dtype, shape: [1, ...shape.slice(1)], data: data.subarray(row * size, (row + 1) * size) };
  };
  ids!.data.forEach((id, token) => {
    const row = Math.min(Math.max(id, 0), rows - 1);
    const [weights] = referenceDequantize([rowOf(values!, row), rowOf(scales!, row)], { format, shape: [1, features] }, context);
    y.data.set(weights!.data.subarray(0, features), token * features);
  });
  return [y];
}

/** Gathers words and scales first, so that no more than the rows found is ever f32. */
function onnx({ graph, inputs: [values, scales, ids], outputs: [y], attributes: { format, shape } }: OnnxContext<DequantizeAttributes>): Value[] {
  const [rows, features] = shape;
  const known = graph.op("Reshape", [graph.clamped(ids!.value, rows), graph.ints([-1])]);
  const found = (part: Value) => graph.op("Gather", [part, known]);
  const weights = onnxDequantize(graph, found(values!.value), found(scales!.value), { format, shape: [-1, features] });
  const cut = wholeBlocks(features) === features ? weights : graph.op("Slice", [weights, graph.ints([0]), graph.ints([features]), graph.ints([1])]);
  return [graph.reshape(cut, y!.dims)];
}

/** Rows of a table in fewer bits, as f32; `embedding` checks the ids and records it. The table is frozen. */
export const quantizedEmbeddingOp: Op<DequantizeAttributes> = defineOp<DequantizeAttributes>({
  name: "quantizedEmbedding",
  infer([values, scales, ids], { format, shape }) {
    checkParts("embedding", format, shape, values!, scales!);
    checkIds(shape, ids!);
    return [{ dtype: "f32", shape: [...ids!.shape, shape[1]] }];
  },
  vjp: () => [null, null, null],
  reference,
  lower,
  onnx,
  readsHalf: true,
});
