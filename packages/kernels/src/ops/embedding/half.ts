import { defineKernel, linearWorkgroups, type Kernel } from "../../program/kernel.ts";
import { defineOp, type LowerContext, type Op } from "../../program/op.ts";
import { dataBytes, sizeOf, type TensorType } from "../../program/types.ts";
import { weightsWgsl } from "../matmul/weights.wgsl.ts";
import { referenceEmbedding } from "./op.reference.ts";

const WORKGROUP_SIZE = 32;

type Width = 1 | 4;

function gatherKernel(width: Width): Kernel {
  const { reads, module, one, four } = weightsWgsl("f16", width);
  const at = "row * p.steps + index % p.steps";
  return defineKernel({
    label: `embedding/f16/x${width}`,
    reads: { ...reads, ids: "array<i32>" },
    writes: { y: `array<${width === 4 ? "vec4f" : "f32"}>` },
    params: { rows: "u32", steps: "u32" },
    module,
    workgroupSize: [WORKGROUP_SIZE],
    linear: true,
    body: `
  let row = u32(clamp(ids[index / p.steps], 0, i32(p.rows) - 1));
  y[index] = ${width === 4 ? four(at) : one(at)};`,
  });
}

const kernels = { 1: gatherKernel(1), 4: gatherKernel(4) };

function lower({ inputs: [table, ids], outputs: [y], dispatch }: LowerContext<object>): void {
  const [rows, features] = table!.type.shape as [number, number];
  const width: Width = features % 4 === 0 ? 4 : 1;
  const count = sizeOf(y!.type.shape) / width;
  dispatch({
    kernel: kernels[width],
    buffers: [table!, ids!, y!],
    params: { count, rows, steps: features / width },
    workgroups: linearWorkgroups(count, WORKGROUP_SIZE),
    flops: 0,
    bytes: 1.5 * dataBytes(y!.type) + dataBytes(ids!.type),
  });
}

/** Rows of a table in half floats, as f32; `embedding` checks them and records it. The table is frozen. */
export const halfEmbeddingOp: Op = defineOp({
  name: "halfEmbedding",
  infer: ([table, ids]): TensorType[] => [{ dtype: "f32", shape: [...ids!.shape, table!.shape[1]!] }],
  vjp: () => [null, null],
  reference: referenceEmbedding,
  lower,
  onnx: ({ graph, inputs: [table, ids] }) => [graph.cast(graph.op("Gather", [table!.value, graph.clamped(ids!.value, table!.dims[0]!)]), "f32")],
  readsHalf: true,
});
