import { defineKernel, linearWorkgroups, type Kernel } from "../../program/kernel.ts";
import type { LowerContext } from "../../program/op.ts";
import { sizeOf } from "../../program/types.ts";

const WORKGROUP_SIZE = 32;

// Half floats lie two to a word, the first in its low bits. Buffers end on whole vec4s, so the last pair may be half a tensor's
// and half nobody's.

const fromHalfKernel = defineKernel({
  label: "cast/f16-f32",
  reads: { x: "array<u32>" },
  writes: { y: "array<vec2f>" },
  workgroupSize: [WORKGROUP_SIZE],
  linear: true,
  body: "  y[index] = unpack2x16float(x[index]);",
});

/** By integers: WGSL leaves pack2x16float's rounding, and what it makes of large numbers, to the driver. */
const toHalfKernel = defineKernel({
  label: "cast/f32-f16",
  reads: { x: "array<vec2f>" },
  writes: { y: "array<u32>" },
  module: `
fn halfBits(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  let sign = (bits >> 16u) & 0x8000u;
  let magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) { return sign | 0x7e00u; }
  if (magnitude >= 0x477ff000u) { return sign | 0x7bffu; }
  if (magnitude >= 0x38800000u) { return sign | ((magnitude + 0xfffu + ((magnitude >> 13u) & 1u) - 0x38000000u) >> 13u); }
  // Subnormal: the significand in units of 2⁻²⁴. What is cut off decides the rounding.
  let cut = 126u - (magnitude >> 23u);
  if (cut > 24u) { return sign; }
  let significand = (magnitude & 0x7fffffu) | 0x800000u;
  let kept = significand >> cut;
  let rest = significand & ((1u << cut) - 1u);
  let half = 1u << (cut - 1u);
  return sign | (kept + select(0u, 1u, rest > half || (rest == half && (kept & 1u) == 1u)));
}`,
  workgroupSize: [WORKGROUP_SIZE],
  linear: true,
  body: `
  let pair = x[index];
  y[index] = halfBits(pair.x) | (halfBits(pair.y) << 16u);`,
});

const pairs =
  (kernel: Kernel) =>
  ({ inputs, outputs, dispatch }: LowerContext<object>): void => {
    const size = sizeOf(inputs[0]!.type.shape);
    const count = Math.ceil(size / 2);
    dispatch({ kernel, buffers: [...inputs, ...outputs], params: { count }, workgroups: linearWorkgroups(count, WORKGROUP_SIZE), flops: 0, bytes: 6 * size });
  };

export const lowerFromHalf = pairs(fromHalfKernel);
export const lowerToHalf = pairs(toHalfKernel);
