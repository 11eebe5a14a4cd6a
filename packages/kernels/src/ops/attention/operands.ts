import type { Tensor } from "../../program/tensor.ts";
import { sizeOf } from "../../program/types.ts";
import { sliceOp, type SliceAttributes } from "../movement/slice.ts";
import { reshape, reshapeOp } from "../reshape/op.ts";

/** Where one of q, k and v lies in its tensor: element (b, i, head, d) at `offset` + (b · length + i) · `row` + head · `step` + d. */
export interface Part {
  readonly offset: number;
  readonly row: number;
  readonly step: number;
}

/** Which of q, k and v are parts of one tensor [B, T, row], as one product of the input makes them. The others are [B, T, H, D]. */
export type Joined = "none" | "kv" | "qkv";

export interface Operands {
  readonly joined: Joined;
  readonly heads: number;
  readonly keyHeads: number;
  readonly headDim: number;
  readonly parts: { readonly q: Part; readonly k: Part; readonly v: Part };
}

/** The tensors behind q, k and v, each once. */
const DISTINCT = { none: 3, kv: 2, qkv: 1 } as const;

/** Finds q, k and v among an op's inputs or gradients: [q, k, v, …], [q, kv, …] or [qkv, …]. */
export function operandsOf<T>({ joined }: Pick<Operands, "joined">, values: readonly T[]): { q: T; k: T; v: T; rest: readonly T[] } {
  const distinct = DISTINCT[joined];
  return { q: values[0]!, k: values[Math.min(1, distinct - 1)]!, v: values[distinct - 1]!, rest: values.slice(distinct) };
}

interface Found {
  readonly source: Tensor;
  readonly part: Part;
  /** Of the sliced axis: where the part begins and ends, and all there is. */
  readonly begin: number;
  readonly end: number;
  readonly extent: number;
}

/**
 * What attention reads: q, k and v, each [B, length, heads, headDim]. Where they are slices of one tensor's last axis (of
 * all heads, as GPT-2 has them, or of each head, as GPT-NeoX), and together all of it, then that tensor itself: nothing is
 * copied, and its gradient comes in one piece.
 */
export function findOperands(q: Tensor, k: Tensor, v: Tensor): { tensors: Tensor[]; operands: Operands } {
  const [heads, keyHeads, headDim] = [q.shape[2]!, k.shape[2]!, q.shape[3]!];
  const sizes = { heads, keyHeads, headDim };
  const [ofQ, ofK, ofV] = [sliceOf(q), sliceOf(k), sliceOf(v)];
  if (ofQ && ofK && ofV && tile([ofQ, ofK, ofV])) return { tensors: [ofQ.source], operands: { ...sizes, joined: "qkv", parts: { q: ofQ.part, k: ofK.part, v: ofV.part } } };
  if (ofK && ofV && tile([ofK, ofV])) return { tensors: [q, ofK.source], operands: { ...sizes, joined: "kv", parts: { q: whole(q), k: ofK.part, v: ofV.part } } };
  return { tensors: [q, k, v], operands: { ...sizes, joined: "none", parts: { q: whole(q), k: whole(k), v: whole(v) } } };
}

const whole = ({ shape: [, , heads, headDim] }: Tensor): Part => ({ offset: 0, row: heads! * headDim!, step: headDim! });

function sliceOf(tensor: Tensor): Found | null {
  const [batch, length, heads, headDim] = tensor.shape as [number, number, number, number];
  const reshaped = tensor.node.op.name === reshapeOp.name;
  const { node } = reshaped ? tensor.node.inputs[0]! : tensor;
  if (node.op.name !== sliceOp.name) return null;
  const { axis, begin, end } = node.attributes as SliceAttributes;
  const whole = node.inputs[0]!;
  const extent = whole.shape[axis]!;
  if (axis !== whole.rank - 1) return null;
  // Of a row of all heads, cut into heads afterwards; or of each head.
  const perHead = whole.rank === 4 && whole.shape[2] === heads && end - begin === headDim;
  if (!perHead && (end - begin !== heads * headDim || sizeOf(whole.shape) !== batch * length * extent)) return null;
  const row = perHead ? heads * extent : extent;
  return { source: reshape(whole, [batch, length, row]), part: { offset: begin, row, step: perHead ? extent : headDim }, begin, end, extent };
}

/** True where the slices are of one tensor, side by side, with nothing left over. */
function tile(slices: readonly Found[]): boolean {
  const sorted = slices.toSorted((a, b) => a.begin - b.begin);
  const [first] = sorted;
  return (
    sorted.every(({ source, part }) => source.node === first!.source.node && source.outputIndex === first!.source.outputIndex && part.row === first!.part.row && part.step === first!.part.step) &&
    sorted.every(({ begin }, i) => begin === (sorted[i - 1]?.end ?? 0)) &&
    sorted.at(-1)!.end === first!.extent
  );
}
