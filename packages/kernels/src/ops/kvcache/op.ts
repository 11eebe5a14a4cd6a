import type { State } from "../../device/device.ts";
import { HeddleError } from "../../errors.ts";
import type { Op } from "../../program/op.ts";
import type { Tensor } from "../../program/tensor.ts";
import { asTensor, assign, emit, type TensorLike } from "../../program/trace.ts";
import { formatShape, sameShape, type HostTensor } from "../../program/types.ts";
import { rotaryEmbedding, type RotaryOptions } from "../rotary/op.ts";
import { rotatesChunks } from "../rotary/rotate.wgsl.ts";
import { checkRotaryTable } from "../rotary/table.ts";
import { asLengths } from "./lengths.ts";
import { onnxExtendCache } from "./op.onnx.ts";
import { referenceExtendCache } from "./op.reference.ts";
import { lowerExtendCache } from "./op.wgsl.ts";

export interface ExtendCacheAttributes {
  /** Keys are turned by their positions, with the table that is the last input. */
  rotary: { dims: number; interleaved: boolean } | null;
}

/** Inputs key cache and value cache [B, capacity, H, D], k and v [B, n, H, D], lengths [B], table?; outputs the caches, overwritten. */
const extendCacheOp: Op<ExtendCacheAttributes> = {
  name: "extendCache",
  infer: ([keyCache, valueCache]) => [keyCache!, valueCache!],
  reference: referenceExtendCache,
  lower: lowerExtendCache,
  onnx: onnxExtendCache,
  inPlace: () => ({ 0: 0, 1: 1 }),
};

export interface CacheExtension {
  /** f32 [B, capacity, H, D] */
  keyCache: State;
  valueCache: State;
  /** Keys and values of the new tokens, f32 [B, n, H, D]. */
  k: TensorLike;
  v: TensorLike;
  /** i32 or u32 [B]: how many tokens each row has with the new ones, from `cacheLengths`; an input of the program. */
  lengths: TensorLike;
  /** Rotary embedding of the keys on their way into the cache; attention's `rotary` then has `keys: false`. */
  rotary?: RotaryOptions & { table: TensorLike };
}

/**
 * Writes the keys and values of n new tokens into caches of fixed capacity, in place: token i of row b at
 * lengths[b] − n + i. One program serves every step, as the place is an input. Places before 0 are padding on the left of a
 * shorter prompt, and are left out; so are those past the capacity, which `cacheLengths` does not let happen.
 *
 * @returns the caches with the new tokens, for attention(q, keys, values, { lengths, causal: true })
 * @throws SHAPE_MISMATCH, DTYPE_MISMATCH
 */
export function extendCache({ keyCache, valueCache, k, v, lengths, rotary }: CacheExtension): { keys: Tensor; values: Tensor } {
  const [newKeys, newValues] = [k, v].map(asTensor) as [Tensor, Tensor];
  const { shape } = keyCache.type;
  const spelled = `caches ${formatShape(shape)} and ${formatShape(valueCache.type.shape)}, k ${formatShape(newKeys.shape)}, v ${formatShape(newValues.shape)}`;
  const dtypes = [keyCache.type, valueCache.type, newKeys, newValues].map(({ dtype }) => dtype);
  if (dtypes.some((dtype) => dtype !== "f32")) throw new HeddleError("DTYPE_MISMATCH", `[extendCache] wants f32 caches, k and v, got ${dtypes.join(", ")}; convert with cast()`);
  const fits = shape.length === 4 && newKeys.rank === 4 && [0, 2, 3].every((axis) => shape[axis] === newKeys.shape[axis]);
  if (!fits || !sameShape(shape, valueCache.type.shape) || !sameShape(newKeys.shape, newValues.shape)) {
    throw new HeddleError("SHAPE_MISMATCH", `[extendCache] ${spelled}: caches must be [batch, capacity, heads, headDim], k and v [batch, new tokens, heads, headDim]`);
  }
  if (newKeys.shape[1]! > shape[1]!) throw new HeddleError("SHAPE_MISMATCH", `[extendCache] ${newKeys.shape[1]} new tokens do not fit into a cache for ${shape[1]}; make it with a greater capacity`);
  const counts = asLengths(lengths, shape[0]!, "extendCache");
  const headDim = shape[3]!;
  const table = rotary && asTensor(rotary.table);
  if (table) checkRotaryTable("extendCache", table, headDim, shape[1]!);
  const turned = rotary ? { dims: table!.shape[1]!, interleaved: rotary.interleaved ?? false } : null;
  const turnsOnWrite = turned !== null && rotatesChunks(turned) && headDim % 4 === 0;
  const written = turned && !turnsOnWrite ? rotaryEmbedding(newKeys, table!, { interleaved: turned.interleaved, lengths: counts }) : newKeys;
  const [keys, values] = emit(extendCacheOp, [keyCache, valueCache, written, newValues, counts, ...(turnsOnWrite ? [table!] : [])], { rotary: turnsOnWrite ? turned : null });
  assign(keyCache, keys!);
  assign(valueCache, values!);
  return { keys: keys!, values: values! };
}

/**
 * The lengths that `extendCache` and attention take, checked.
 *
 * @param lengths tokens of each row with the new ones, whole numbers
 * @throws INVALID_ARGUMENT where a row has more tokens than the cache has room for
 */
export function cacheLengths(lengths: readonly number[], capacity: number): HostTensor {
  const wrong = lengths.findIndex((length) => !Number.isInteger(length) || length < 0 || length > capacity);
  if (wrong >= 0) throw new HeddleError("INVALID_ARGUMENT", `[cacheLengths] row ${wrong} would have ${lengths[wrong]} tokens, the cache has room for ${capacity}; stop there, or make it with a greater capacity`);
  return { shape: [lengths.length], data: Int32Array.from(lengths) };
}
