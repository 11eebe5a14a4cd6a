import { linearWorkgroups } from "../../program/kernel.ts";
import { kernelMemo } from "../../program/kernel-memo.ts";
import type { BufferRef, DispatchSpec } from "../../program/lowering.ts";
import type { LowerContext } from "../../program/op.ts";
import { dataBytes, storageBytes } from "../../program/types.ts";
import { BLOCK } from "../quantize/format.ts";
import { matmulDesigns, tileExtent, type MatmulDesign, type MatmulKernel } from "./choose.ts";
import { ACTIVATION_WORKGROUP_SIZE, activationPassKernel, NO_EPILOGUE, type Epilogue } from "./epilogue.wgsl.ts";
import { gemvKernel } from "./gemv.wgsl.ts";
import { NAIVE_WORKGROUP_SIZE, naiveKernel, sumSplitsKernel } from "./naive.wgsl.ts";
import { multiplyInBlocks } from "./blocks.ts";
import { matmulShape, optionalInputs, siblingShape, weightFormat, type MatmulAttributes, type MatmulShape, type ProductAttributes } from "./op.ts";
import { epilogueFlags, registerTileKernel, type RegisterVariant } from "./register-tile.wgsl.ts";
import { subgroupMatrixKernel } from "./subgroup-matrix.wgsl.ts";
import type { WeightFormat } from "./weights.wgsl.ts";
import { workgroupTileKernel, type WorkgroupVariant } from "./workgroup-tile.wgsl.ts";

const kernelOnce = kernelMemo();

const widthOf = (extent: number) => (extent % 4 === 0 ? 4 : 1);
const upTo4 = (extent: number) => Math.ceil(extent / 4) * 4;

export function lowerMatmul(context: LowerContext<MatmulAttributes, MatmulDesign>): void {
  const { attributes, inputs } = context;
  const [a, b, ...others] = inputs as [BufferRef, BufferRef, ...BufferRef[]];
  lowerProduct(context, matmulShape(a.type.shape, b.type.shape, attributes), { a, b, format: weightFormat(b.type), ...optionalInputs(others, attributes) });
}

/** What a product reads. */
export interface ProductInputs {
  readonly a: BufferRef;
  readonly b: BufferRef;
  readonly format: WeightFormat;
  /** Of formats in blocks. */
  readonly scales?: BufferRef;
  readonly bias: BufferRef | undefined;
  readonly extra: BufferRef | undefined;
}

/** Dispatches of a product of f32 with what `inputs.format` says, and of what comes after it. */
export function lowerProduct(context: LowerContext<ProductAttributes, MatmulDesign>, shape: MatmulShape, inputs: ProductInputs): void {
  const { attributes, outputs, adapter, dispatch } = context;
  const size = shape.m * shape.n * shape.batches;
  if (size === 0) return;
  const { kernel, splits } = context.design ?? matmulDesigns(adapter, shape, inputs.format)[0]!;
  const [y, preActivation] = outputs as [BufferRef, BufferRef | undefined];
  const { activation } = attributes;
  const epilogue: Epilogue = { bias: attributes.bias, activation, extra: attributes.extra ?? null, keepsPreActivation: preActivation !== undefined };
  if (!preActivation || kernel.kind !== "register") {
    multiply(context, kernel, splits, shape, { ...inputs, outputs, epilogue });
    return;
  }
  // One more text of a register tile, with a second output, would take longer to compile than this pass ever costs.
  multiply(context, kernel, splits, shape, { ...inputs, outputs: [preActivation], epilogue: { ...NO_EPILOGUE, bias: attributes.bias } });
  const width = widthOf(size);
  dispatch({
    kernel: kernelOnce(["activation", activation, width], () => activationPassKernel(activation, width)),
    buffers: [preActivation, y],
    params: { count: size / width },
    workgroups: linearWorkgroups(size / width, ACTIVATION_WORKGROUP_SIZE),
    flops: size,
    bytes: 8 * size,
  });
}

export interface Operands extends ProductInputs {
  readonly outputs: readonly BufferRef[];
  readonly epilogue: Epilogue;
}

/** The product, and the sum of its parts where k is split. */
function multiply(context: LowerContext<ProductAttributes>, kernel: MatmulKernel, wantedSplits: number, shape: MatmulShape, operands: Operands): void {
  if (multiplyInBlocks(context, shape, operands)) return;
  const { scratch, dispatch } = context;
  const { m, n, k, batches } = shape;
  // Whole vec4s in every part but the last; whole blocks where weights have them.
  const step = operands.scales ? BLOCK : 4;
  const chunk = Math.max(step, Math.ceil(k / wantedSplits / step) * step);
  const splits = Math.max(1, Math.ceil(k / chunk));
  if (splits === 1) {
    dispatch(product(kernel, shape, operands, chunk, splits));
    return;
  }
  const parts = scratch({ dtype: "f32", shape: [splits, batches, m, n] });
  dispatch(product(kernel, shape, { ...operands, outputs: [parts], epilogue: NO_EPILOGUE }, chunk, splits));
  dispatch(sumOfParts(shape, parts, splits, operands));
}

/** The sum of partial products, then what happens to it at the end. */
export function sumOfParts({ m, n, batches }: MatmulShape, parts: BufferRef, splits: number, { bias, extra, outputs, epilogue }: Operands): DispatchSpec {
  const width = widthOf(n);
  const count = (batches * m * n) / width;
  return {
    kernel: kernelOnce(["sum-splits", epilogue, width], () => sumSplitsKernel(epilogue, width)),
    buffers: [parts, ...epilogueReads(bias, extra), ...outputs],
    params: { count, n: n / width, splits },
    workgroups: linearWorkgroups(count, NAIVE_WORKGROUP_SIZE),
    flops: splits * batches * m * n,
    bytes: 4 * (splits + outputs.length + (extra ? 1 : 0)) * batches * m * n,
  };
}

export interface Siblings {
  readonly count: number;
  readonly a: BufferRef;
  /** The first weight, for its shape. */
  readonly b: BufferRef;
  /** All weights, all biases, all results. */
  readonly spanB: BufferRef;
  readonly bias: BufferRef | undefined;
  readonly y: BufferRef;
  /** Elements from one to the next. */
  readonly strides: Strides;
}

/** Products of one matrix with several weights as one batched product; false where the design has no batches so spaced. */
export function multiplySiblings({ design, attributes, adapter, dispatch }: LowerContext<MatmulAttributes, MatmulDesign>, { count, a, b, spanB, bias, y, strides }: Siblings): boolean {
  const shape = siblingShape(a.type.shape, b.type.shape, count, attributes);
  const { kernel, splits } = design ?? matmulDesigns(adapter, shape)[0]!;
  if (kernel.kind === "naive" || splits > 1 || storageBytes(spanB.type) > adapter.maxStorageBufferBindingSize) return false;
  const epilogue = { ...NO_EPILOGUE, bias: bias !== undefined };
  dispatch(product(kernel, shape, { a, b: spanB, format: "f32", bias, extra: undefined, outputs: [y], epilogue }, Math.max(4, upTo4(shape.k)), 1, strides));
  return true;
}

const epilogueReads = (bias: BufferRef | undefined, extra: BufferRef | undefined) => [...(bias ? [bias] : []), ...(extra ? [extra] : [])];

/** Elements from one matrix, row or column to the next where they do not follow from the sizes; the last four are a register tile's. */
export type Strides = Partial<Readonly<Record<"strideB" | "strideBias" | "strideY" | "rowA" | "stepA" | "columnB" | "rowY", number>>>;

export function product(kernel: MatmulKernel, shape: MatmulShape, operands: Operands, chunk: number, splits: number, strides: Strides = {}): DispatchSpec {
  const { m, n, k, batches, transposeA, transposeB, sharesA, sharesB } = shape;
  const { a, b, format, scales, outputs, epilogue } = operands;
  const weights = scales ? [b, scales] : [b];
  const bias = epilogue.bias ? operands.bias : undefined;
  const extra = epilogue.extra ? operands.extra : undefined;
  const parts = batches * splits;
  const sizes = { m, n, k, chunk, batches, strideA: sharesA ? 0 : m * k, strideB: sharesB ? 0 : k * n };
  const [rowA, stepA] = transposeA ? [1, m] : [k, 1];
  const [columnB, stepB] = transposeB ? [k, 1] : [1, n];
  const cost = {
    flops: 2 * m * n * k * batches,
    bytes: 4 * ((sharesA ? 1 : batches) * m * k + parts * m * n * outputs.length + (extra ? batches * m * n : 0)) + weights.reduce((total, { type }) => total + dataBytes(type), 0),
  };
  if (kernel.kind === "naive") {
    const count = parts * m * n;
    return {
      kernel: kernelOnce(["naive", epilogue, format], () => naiveKernel(epilogue, format)),
      buffers: [a, ...weights, ...epilogueReads(bias, extra), ...outputs],
      params: { count, ...sizes, rowA, stepA, columnB, stepB },
      workgroups: linearWorkgroups(count, NAIVE_WORKGROUP_SIZE),
      ...cost,
    };
  }
  const [rows, columns] = tileExtent(kernel);
  const [tilesM, tilesN] = [Math.ceil(m / rows), Math.ceil(n / columns)];
  const tiles = { ...sizes, tilesM, tilesN, parts, strideBias: 0, strideY: m * n };
  const workgroups = linearWorkgroups(parts * tilesM * tilesN, 1);
  if (kernel.kind === "gemv" || kernel.kind === "subgroup-matrix") {
    const make = () => (kernel.kind === "gemv" ? gemvKernel(kernel, format, epilogue) : subgroupMatrixKernel(kernel, format, epilogue));
    return { kernel: kernelOnce([kernel, epilogue, format], make), buffers: [a, ...weights, ...epilogueReads(bias, extra), ...outputs], params: { ...tiles, ...strides }, workgroups, ...cost };
  }
  if (kernel.kind === "workgroup") {
    const variant: WorkgroupVariant = { transposeA, transposeB, widthA: widthOf(transposeA ? m : k), widthB: widthOf(transposeB ? k : n), widthY: widthOf(n) };
    return { kernel: kernelOnce([kernel, variant, epilogue, format], () => workgroupTileKernel(variant, kernel, epilogue, format)), buffers: [a, ...weights, ...epilogueReads(bias, extra), ...outputs], params: { ...tiles, ...strides }, workgroups, ...cost };
  }
  const variant: RegisterVariant = {
    layout: transposeB ? (k % 4 === 0 && strides.columnB === undefined ? "columns" : "any") : n % 4 === 0 ? "rows" : "any",
    wide: n % 4 === 0 && (strides.rowY ?? 0) % 4 === 0,
  };
  return {
    kernel: kernelOnce([kernel, variant, format], () => registerTileKernel(variant, kernel, format)),
    buffers: [a, ...weights, bias ?? a, extra ?? a, ...outputs],
    params: { ...tiles, rowA, stepA, columnB, stepB, rowY: n, ...epilogueFlags(epilogue), ...strides },
    workgroups,
    ...cost,
  };
}
