import { HeddleError } from "../errors.ts";
import { wholeRange, type FusedRange } from "./fused-kernel.ts";
import type { FusedStep } from "./fusion.ts";
import { partOf, type BufferRef, type DispatchSpec } from "./lowering.ts";
import { bytesPerElement, formatShape, sizeOf, storageBytes, type Shape } from "./types.ts";

/** Inputs and outputs, by position, that hold rows which an op treats one by one: it may then be done in blocks of them. */
export interface RowWise {
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

export interface Operands {
  readonly inputs: readonly BufferRef[];
  readonly outputs: readonly BufferRef[];
}

export interface Block extends Operands {
  readonly firstRow: number;
  readonly rows: number;
}

/** A row of one element of four bytes, this many times, begins on every adapter's alignment of bindings (256 bytes at most). */
const ALIGNED_ROWS = 64;

export const exceeds = (refs: readonly BufferRef[], maxBytes: number): boolean => refs.some(({ type }) => storageBytes(type) > maxBytes);

/**
 * The operands in blocks of rows none of which binds more than `maxBytes`. Operands with rows become [rows of the block,
 * elements of a row]; the others stay. Null where 64 rows are too much already.
 */
export function rowBlocks({ inputs, outputs }: Operands, rowWise: RowWise, rows: number, maxBytes: number): Block[] | null {
  const perRow = ({ type: { shape } }: BufferRef) => sizeOf(shape) / rows;
  const split = [...rowWise.inputs.map((i) => inputs[i]!), ...rowWise.outputs.flatMap((i) => outputs[i] ?? [])];
  const mostBytes = Math.max(...split.map((ref) => perRow(ref) * bytesPerElement(ref.type.dtype)));
  const height = Math.floor(maxBytes / mostBytes / ALIGNED_ROWS) * ALIGNED_ROWS;
  if (height === 0) return null;
  const blocks: Block[] = [];
  for (let firstRow = 0; firstRow < rows; firstRow += height) {
    const count = Math.min(height, rows - firstRow);
    const part = (ref: BufferRef) => partOf(ref, firstRow * perRow(ref), { dtype: ref.type.dtype, shape: [count, perRow(ref)] });
    blocks.push({
      firstRow,
      rows: count,
      inputs: inputs.map((ref, i) => (rowWise.inputs.includes(i) ? part(ref) : ref)),
      outputs: outputs.map((ref, i) => (rowWise.outputs.includes(i) ? part(ref) : ref)),
    });
  }
  return blocks;
}

/**
 * How many leading axes of `to` an element-wise step can be cut along: over them each operand has either every extent
 * or none. 0: along none.
 */
function sharedLeadingAxes(to: Shape, operands: readonly Shape[]): number {
  const extent = (from: Shape, axis: number) => from[axis - (to.length - from.length)] ?? 1;
  for (let count = to.length; count > 0; count--) {
    const axes = to.slice(0, count).map((_, axis) => axis);
    if (operands.every((from) => axes.every((axis) => extent(from, axis) === to[axis]) || axes.every((axis) => extent(from, axis) === 1))) return count;
  }
  return 0;
}

/** The parts of a fused step that each bind no more than `maxBytes`: the whole, but for very large tensors. */
export function fusedBlocks(step: FusedStep, inputs: readonly BufferRef[], output: BufferRef, maxBytes: number): { inputs: readonly BufferRef[]; output: BufferRef; range: FusedRange }[] {
  const whole = { inputs, output, range: wholeRange(step) };
  const { shape } = output.type;
  const axes = sharedLeadingAxes(shape, whole.range.inputs);
  if (!exceeds([...inputs, output], maxBytes) || axes === 0) return [whole];
  const [lead, rest] = [shape.slice(0, axes), shape.slice(axes)];
  const within = whole.range.inputs.flatMap((from, i) => (from.length === shape.length && lead.every((extent, axis) => extent === from[axis]) ? [i] : []));
  const blocks = rowBlocks({ inputs, outputs: [output] }, { inputs: within, outputs: [0] }, sizeOf(lead), maxBytes);
  const range = ({ rows, firstRow }: Block): FusedRange => ({
    output: [rows, ...rest],
    inputs: whole.range.inputs.map((from, i) => (within.includes(i) ? [rows, ...from.slice(axes)] : rest.length === 0 ? [] : from.slice(-rest.length))),
    first: firstRow * sizeOf(rest),
  });
  return blocks?.map((block) => ({ inputs: block.inputs, output: block.outputs[0]!, range: range(block) })) ?? [whole];
}

/** Throws LIMIT_EXCEEDED for a dispatch that binds more in one piece than the adapter does. */
export function checkBindings({ kernel, buffers }: DispatchSpec, maxBytes: number): void {
  const tooLarge = buffers.find(({ type }) => storageBytes(type) > maxBytes);
  if (!tooLarge) return;
  const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  throw new HeddleError("LIMIT_EXCEEDED", `[${kernel.label}] would bind ${formatShape(tooLarge.type.shape)}, ${mebibytes(storageBytes(tooLarge.type))}, and this adapter binds at most ${mebibytes(maxBytes)} in one piece; use a smaller batch or shorter sequences, or another device`);
}
