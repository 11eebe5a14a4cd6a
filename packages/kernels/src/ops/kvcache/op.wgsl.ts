import { defineKernel, linearWorkgroups, type Kernel } from "../../program/kernel.ts";
import { kernelMemo } from "../../program/kernel-memo.ts";
import type { LowerContext } from "../../program/op.ts";
import { sizeOf, type DType } from "../../program/types.ts";

const WORKGROUP_SIZE = 32;
const kernelOnce = kernelMemo();

/** A lane for `width` elements of a new key and of its value. */
function extendKernel(lengths: DType, width: 4 | 1): Kernel {
  const type = width === 4 ? "array<vec4f>" : "array<f32>";
  return defineKernel({
    label: `extend-cache/${lengths}/x${width}`,
    reads: { k: type, v: type, lengths: `array<${lengths}>` },
    writes: { keyCache: type, valueCache: type },
    params: { added: "u32", capacity: "u32", row: "u32" },
    workgroupSize: [WORKGROUP_SIZE],
    linear: true,
    body: `
  let token = index / p.row;
  let b = token / p.added;
  let place = i32(lengths[b]) - i32(p.added) + i32(token % p.added);
  if (place < 0 || place >= i32(p.capacity)) { return; }
  let at = (b * p.capacity + u32(place)) * p.row + index % p.row;
  keyCache[at] = k[index];
  valueCache[at] = v[index];`,
  });
}

export function lowerExtendCache({ inputs: [, , k, v, lengths], outputs: [keyCache, valueCache], dispatch }: LowerContext<object>): void {
  const row = sizeOf(k!.type.shape.slice(2));
  const width = row % 4 === 0 ? 4 : 1;
  const count = sizeOf(k!.type.shape) / width;
  const { dtype } = lengths!.type;
  dispatch({
    kernel: kernelOnce([dtype, width], () => extendKernel(dtype, width)),
    buffers: [k!, v!, lengths!, keyCache!, valueCache!],
    params: { count, added: k!.type.shape[1]!, capacity: keyCache!.type.shape[1]!, row: row / width },
    workgroups: linearWorkgroups(count, WORKGROUP_SIZE),
    flops: 0,
    bytes: 16 * count * width,
  });
}
