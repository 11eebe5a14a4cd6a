import { defineKernel, type Kernel } from "../../program/kernel.ts";
import { defineOp } from "../../program/op.ts";
import type { Tensor } from "../../program/tensor.ts";
import { emitOne } from "../../program/trace.ts";
import type { ComputedDType } from "../../program/types.ts";
import { onnxAttentionKeys } from "./op.onnx.ts";

/**
 * What attention needs to know about keys, in one u32 buffer, so that its kernels stay within 8 storage buffers: the
 * dropout key, then for each batch [begin, end, words with a bit for each key, 32 a word]. Keys outside [begin, end) are
 * padding and cost nothing. Layers with the same mask share this node.
 */
export interface AttentionKeysAttributes {
  batch: number;
  keys: number;
  /** Which inputs there are, in this order: the mask, the dropout key. */
  mask: boolean;
  dropout: boolean;
}

const WORKGROUP_SIZE = 8;
const kernels = new Map<string, Kernel>();

function keysKernel(mask: ComputedDType | null, dropout: boolean): Kernel {
  const label = `attention/keys${mask ? `/mask-${mask}` : ""}${dropout ? "/dropout" : ""}`;
  let kernel = kernels.get(label);
  if (kernel) return kernel;
  kernel = defineKernel({
    label,
    reads: { ...(mask && { mask: `array<${mask}>` }), ...(dropout && { key: "array<u32>" }) },
    writes: { y: "array<u32>" },
    params: { keys: "u32" },
    workgroupSize: [WORKGROUP_SIZE],
    linear: true,
    body: `
  let row = 1u + index * (2u + (p.keys + 31u) / 32u);
  var begin = p.keys;
  var end = 0u;
  for (var first = 0u; first < p.keys; first += 32u) {
    var bits = 0u;
    for (var j = first; j < min(p.keys, first + 32u); j++) {
      if (${mask ? `mask[index * p.keys + j] != ${mask}(0)` : "true"}) {
        begin = min(begin, j);
        end = j + 1u;
        bits |= 1u << (j - first);
      }
    }
    y[row + 2u + first / 32u] = bits;
  }
  y[row] = begin;
  y[row + 1u] = end;
  if (index == 0u) { y[0] = ${dropout ? "key[0]" : "0u"}; }`,
  });
  kernels.set(label, kernel);
  return kernel;
}

const wordsOf = (keys: number) => 2 + Math.ceil(keys / 32);

export const attentionKeysOp = defineOp<AttentionKeysAttributes>({
  name: "attentionKeys",
  infer: (_, { batch, keys }) => [{ dtype: "u32", shape: [1 + batch * wordsOf(keys)] }],
  vjp: ({ inputs }) => inputs.map(() => null),
  reference(inputs, { batch, keys, mask, dropout }, context) {
    const words = wordsOf(keys);
    const y = context.zeros("u32", [1 + batch * words]);
    y.data[0] = dropout ? inputs[mask ? 1 : 0]!.data[0]! : 0;
    for (let b = 0; b < batch; b++) {
      const row = 1 + b * words;
      const attended = Array.from({ length: keys }, (_, j) => !mask || inputs[0]!.data[b * keys + j] !== 0);
      y.data[row] = attended.includes(true) ? attended.indexOf(true) : keys;
      y.data[row + 1] = attended.lastIndexOf(true) + 1;
      attended.forEach((flag, j) => (y.data[row + 2 + (j >> 5)] = (y.data[row + 2 + (j >> 5)]! | (flag ? 2 ** (j & 31) : 0)) >>> 0));
    }
    return [y];
  },
  onnx: onnxAttentionKeys,
  lower({ attributes: { batch, keys, mask, dropout }, inputs, outputs, dispatch }) {
    dispatch({
      kernel: keysKernel(mask ? (inputs[0]!.type.dtype as ComputedDType) : null, dropout),
      buffers: [...inputs, outputs[0]!],
      params: { count: batch, keys },
      workgroups: [Math.ceil(batch / WORKGROUP_SIZE), 1, 1],
      flops: batch * keys,
      bytes: 8 * batch * keys,
    });
  },
});

export function attentionKeys(batch: number, keys: number, mask: Tensor | undefined, dropoutKey: Tensor | undefined): Tensor {
  const inputs = [mask, dropoutKey].filter((input) => input !== undefined);
  return emitOne(attentionKeysOp, inputs, { batch, keys, mask: mask !== undefined, dropout: dropoutKey !== undefined });
}
