import { defineKernel, linearWorkgroups, type Kernel } from "../../program/kernel.ts";
import { kernelMemo } from "../../program/kernel-memo.ts";
import type { LowerContext } from "../../program/op.ts";
import { sizeOf, type DType } from "../../program/types.ts";
import type { RotaryAttributes } from "./op.ts";

const WORKGROUP_SIZE = 32;
const kernelOnce = kernelMemo();

/** A lane for two elements of a head: a pair, or two that stay as they are. */
function rotaryKernel(lengths: DType | null): Kernel {
  return defineKernel({
    label: `rotary${lengths ? `/lengths-${lengths}` : ""}/f32`,
    reads: { x: "array<f32>", table: "array<f32>", ...(lengths && { lengths: `array<${lengths}>` }) },
    writes: { y: "array<f32>" },
    params: { length: "u32", heads: "u32", headDim: "u32", dims: "u32", positions: "u32", begin: "i32", interleaved: "u32", sign: "f32" },
    workgroupSize: [WORKGROUP_SIZE],
    linear: true,
    body: `
  let twos = (p.headDim + 1u) / 2u;
  let row = index / twos;
  let i = index % twos;
  let token = row / p.heads;
  let pairs = p.dims / 2u;
  let at = row * p.headDim;
  if (i >= pairs) {
    let rest = at + 2u * i;
    y[rest] = x[rest];
    if (2u * i + 1u < p.headDim) { y[rest + 1u] = x[rest + 1u]; }
    return;
  }
  let begin = ${lengths ? "i32(lengths[token / p.length]) - i32(p.length)" : "p.begin"};
  let angles = u32(clamp(begin + i32(token % p.length), 0, i32(p.positions) - 1)) * p.dims + i;
  let first = at + select(i, 2u * i, p.interleaved != 0u);
  let second = select(first + pairs, first + 1u, p.interleaved != 0u);
  let cosine = table[angles];
  let sine = p.sign * table[angles + pairs];
  let a = x[first];
  let b = x[second];
  y[first] = a * cosine - b * sine;
  y[second] = b * cosine + a * sine;`,
  });
}

export function lowerRotaryEmbedding({ attributes: { interleaved, begin, inverse }, inputs, outputs, dispatch }: LowerContext<RotaryAttributes>): void {
  const [x, table, lengths] = inputs;
  const [, length, heads, headDim] = x!.type.shape as [number, number, number, number];
  const [positions, dims] = table!.type.shape as [number, number];
  const size = sizeOf(x!.type.shape);
  const count = (size / Math.max(1, headDim)) * Math.ceil(headDim / 2);
  const dtype = lengths?.type.dtype ?? null;
  dispatch({
    kernel: kernelOnce(dtype, () => rotaryKernel(dtype)),
    buffers: [...inputs, ...outputs],
    params: { count, length, heads, headDim, dims, positions, begin, interleaved: interleaved ? 1 : 0, sign: inverse ? -1 : 1 },
    workgroups: linearWorkgroups(count, WORKGROUP_SIZE),
    flops: 3 * size,
    bytes: 8 * size,
  });
}
