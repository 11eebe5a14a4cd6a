import { partOf, type BufferRef } from "../../program/lowering.ts";
import type { LowerContext } from "../../program/op.ts";
import { sizeOf, storageBytes } from "../../program/types.ts";
import type { MatmulAttributes } from "../matmul/op.ts";
import { lowerMatmul } from "../matmul/op.wgsl.ts";

const CHUNK_BYTES = 16 * 2 ** 20;
/** What every adapter binds in one piece. */
const BINDING_BYTES = 128 * 2 ** 20;
/** Chunks begin on multiples of so many classes: on every adapter's alignment of bindings, with half floats too, and on a vec4. */
const ALIGNED = 128;

/** Classes whose logits are in memory at once, for `rows` of `size` features. */
export type ChunkColumns = (rows: number, size: number, maxBytes: number) => number;

/**
 * As many as 16 MiB hold, or `size` where that is more: then the chunk is no larger than the hidden states, and adding up
 * their gradient chunk by chunk is little beside the products. Never so many that a chunk of the weight would not bind.
 */
export function chunkColumns(rows: number, size: number, maxBytes = BINDING_BYTES): number {
  const wanted = Math.max(CHUNK_BYTES / 4 / rows, size);
  const most = maxBytes / 4 / Math.max(rows, size);
  return Math.max(ALIGNED, Math.floor(Math.min(wanted, most) / ALIGNED) * ALIGNED);
}

/** What a chunk of classes reads. */
export interface Chunk {
  readonly first: number;
  readonly count: number;
  /** Its rows of the weight. */
  readonly weight: BufferRef;
  /** Room for its logits, [rows, count], which all chunks take in turn. */
  readonly logits: BufferRef;
  /** Makes its logits. */
  multiply(): void;
}

export interface Products {
  /** [rows, size]. */
  readonly hidden: BufferRef;
  readonly chunks: readonly Chunk[];
  /** The context of one step. What a step leaves in scratch, the next writes over: so scratch does not grow with the number of chunks. */
  step<A extends object>(attributes: A, inputs: readonly BufferRef[], outputs: readonly BufferRef[]): LowerContext<A, never>;
  /** y = a · b + addend. */
  multiply(a: BufferRef, b: BufferRef, y: BufferRef, form: ProductForm): void;
}

interface ProductForm {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  readonly bias?: BufferRef | undefined;
  readonly addend?: BufferRef | undefined;
}

/** The classes in chunks of about one size, and how to multiply with each. */
export function chunkedProducts(context: LowerContext<object>, states: BufferRef, weight: BufferRef, bias: BufferRef | undefined, columns: ChunkColumns): Products {
  const [classes, size] = weight.type.shape as [number, number];
  const rows = sizeOf(states.type.shape.slice(0, -1));
  const hidden: BufferRef = { ...states, type: { dtype: "f32", shape: [rows, size] } };
  const most = columns(rows, size, context.adapter.maxStorageBufferBindingSize);
  const width = Math.ceil(classes / Math.ceil(classes / most) / ALIGNED) * ALIGNED;
  const room = context.scratch({ dtype: "f32", shape: [rows, Math.min(width, classes)] });

  const kept: BufferRef[] = [];
  const step: Products["step"] = (attributes, inputs, outputs) => {
    const free = [...kept];
    const scratch: LowerContext<object>["scratch"] = (type) => {
      const at = free.findIndex((ref) => storageBytes(ref.type) >= storageBytes(type));
      if (at >= 0) return { ...free.splice(at, 1)[0]!, type };
      kept.push(context.scratch(type));
      return kept.at(-1)!;
    };
    return { ...context, attributes, inputs, outputs, scratch, design: undefined };
  };
  const multiply: Products["multiply"] = (a, b, y, { transposeA = false, transposeB = false, bias: row, addend }) => {
    const attributes: MatmulAttributes = { transposeA, transposeB, bias: row !== undefined, activation: "identity", ...(addend && { extra: { kind: "residual" } }) };
    lowerMatmul(step(attributes, [a, b, ...(row ? [row] : []), ...(addend ? [addend] : [])], [y]));
  };
  const chunks = Array.from({ length: Math.ceil(classes / width) }, (_, i): Chunk => {
    const first = i * width;
    const count = Math.min(width, classes - first);
    const part = partOf(weight, first * size, { dtype: weight.type.dtype, shape: [count, size] });
    const logits: BufferRef = { ...room, type: { dtype: "f32", shape: [rows, count] } };
    return { first, count, weight: part, logits, multiply: () => multiply(hidden, part, logits, { transposeB: true, bias: bias && partOf(bias, first, { dtype: "f32", shape: [count] }) }) };
  });
  return { hidden, chunks, step, multiply };
}
