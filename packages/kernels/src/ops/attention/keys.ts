import { defineKernel, type Kernel } from "../../program/kernel.ts";
import { defineOp } from "../../program/op.ts";
import type { Tensor } from "../../program/tensor.ts";
import { emitOne } from "../../program/trace.ts";
import type { ComputedDType } from "../../program/types.ts";
import { onnxAttentionKeys } from "./op.onnx.ts";

/**
 * What attention needs to know about keys, in one u32 buffer, so that its kernels stay within 8 storage buffers: the
 * dropout key, then for each batch [begin, end, length, words with a bit for each key, 32 a word]. Keys outside [begin, end)
 * are padding and cost nothing; the last query stands at the last of `length` keys. Layers with the same mask share this node.
 */
export interface AttentionKeysAttributes {
  batch: number;
  keys: number;
  /** Which inputs there are, in this order: the mask, the dropout key, the lengths. */
  mask: boolean;
  dropout: boolean;
  lengths: boolean;
}

/** Words of a batch before its bits. */
export const INFO_WORDS = 3;
const WORKGROUP_SIZE = 8;
const kernels = new Map<string, Kernel>();

function keysKernel(mask: ComputedDType | null, dropout: boolean, lengths: ComputedDType | null): Kernel {
  const label = `attention/keys${mask ? `/mask-${mask}` : ""}${dropout ? "/dropout" : ""}${lengths ? `/lengths-${lengths}` : ""}`;
  let kernel = kernels.get(label);
  if (kernel) return kernel;
  kernel = defineKernel({
    label,
    reads: { ...(mask && { mask: `array<${mask}>` }), ...(dropout && { key: "array<u32>" }), ...(lengths && { lengths: `array<${lengths}>` }) },
    writes: { y: "array<u32>" },
    params: { keys: "u32" },
    workgroupSize: [WORKGROUP_SIZE],
    linear: true,
    body: `
  let row = 1u + index * (${INFO_WORDS}u + (p.keys + 31u) / 32u);
  let length = ${lengths ? "u32(clamp(i32(lengths[index]), 0, i32(p.keys)))" : "p.keys"};
  var begin = p.keys;
  var end = 0u;
  for (var first = 0u; first < p.keys; first += 32u) {
    let count = min(32u, max(length, first) - first);
    var bits = select((1u << count) - 1u, 0xffffffffu, count == 32u);
${
  mask
    ? `    for (var n = 0u; n < count; n++) {
      let j = first + n;
      if (mask[index * p.keys + j] != ${mask}(0)) {
        begin = min(begin, j);
        end = j + 1u;
      } else {
        bits &= ~(1u << n);
      }
    }`
    : ""
}
    y[row + ${INFO_WORDS}u + first / 32u] = bits;
  }
  y[row] = ${mask ? "begin" : "0u"};
  y[row + 1u] = ${mask ? "end" : "length"};
  y[row + 2u] = length;
  if (index == 0u) { y[0] = ${dropout ? "key[0]" : "0u"}; }`,
  });
  kernels.set(label, kernel);
  return kernel;
}

const wordsOf = (keys: number) => INFO_WORDS + Math.ceil(keys / 32);

export const attentionKeysOp = defineOp<AttentionKeysAttributes>({
  name: "attentionKeys",
  infer: (_, { batch, keys }) => [{ dtype: "u32", shape: [1 + batch * wordsOf(keys)] }],
  vjp: ({ inputs }) => inputs.map(() => null),
  reference(inputs, { batch, keys, mask, dropout, lengths }, context) {
    const words = wordsOf(keys);
    const y = context.zeros("u32", [1 + batch * words]);
    y.data[0] = dropout ? inputs[mask ? 1 : 0]!.data[0]! : 0;
    for (let b = 0; b < batch; b++) {
      const row = 1 + b * words;
      const length = lengths ? Math.min(keys, Math.max(0, inputs.at(-1)!.data[b]!)) : keys;
      const attended = Array.from({ length: keys }, (_, j) => j < length && (!mask || inputs[0]!.data[b * keys + j] !== 0));
      y.data[row] = attended.includes(true) ? attended.indexOf(true) : keys;
      y.data[row + 1] = attended.lastIndexOf(true) + 1;
      y.data[row + 2] = length;
      attended.forEach((flag, j) => {
        const word = row + INFO_WORDS + (j >> 5);
        y.data[word] = (y.data[word]! | (flag ? 1 << (j & 31) : 0)) >>> 0;
      });
    }
    return [y];
  },
  onnx: onnxAttentionKeys,
  lower({ attributes: { batch, keys, mask, dropout, lengths }, inputs, outputs, dispatch }) {
    dispatch({
      kernel: keysKernel(mask ? (inputs[0]!.type.dtype as ComputedDType) : null, dropout, lengths ? (inputs.at(-1)!.type.dtype as ComputedDType) : null),
      buffers: [...inputs, outputs[0]!],
      params: { count: batch, keys },
      workgroups: [Math.ceil(batch / WORKGROUP_SIZE), 1, 1],
      flops: batch * keys,
      bytes: 8 * batch * keys,
    });
  },
});

export function attentionKeys(batch: number, keys: number, { mask, dropoutKey, lengths }: { mask: Tensor | undefined; dropoutKey: Tensor | undefined; lengths: Tensor | undefined }): Tensor {
  const inputs = [mask, dropoutKey, lengths].filter((input) => input !== undefined);
  return emitOne(attentionKeysOp, inputs, { batch, keys, mask: mask !== undefined, dropout: dropoutKey !== undefined, lengths: lengths !== undefined });
}
