import { defineKernel, linearWorkgroups, type Kernel } from "../../program/kernel.ts";
import { kernelMemo } from "../../program/kernel-memo.ts";
import type { LowerContext } from "../../program/op.ts";
import { sizeOf, type DType } from "../../program/types.ts";
import { rotaryTableType, turnChunk } from "../rotary/rotate.wgsl.ts";
import type { ExtendCacheAttributes } from "./op.ts";

const WORKGROUP_SIZE = 32;
const kernelOnce = kernelMemo();

/** A lane for `width` elements of a new key and of its value: 4 where keys are turned. */
function extendKernel(lengths: DType, width: 4 | 1, rotary: ExtendCacheAttributes["rotary"]): Kernel {
  const type = width === 4 ? "array<vec4f>" : "array<f32>";
  return defineKernel({
    label: `extend-cache/${lengths}/x${width}${rotary ? `+rotary-${rotary.interleaved ? "interleaved-" : ""}${rotary.dims}` : ""}`,
    reads: { k: type, v: type, lengths: `array<${lengths}>`, ...(rotary && { rotary: rotaryTableType(rotary) }) },
    writes: { keyCache: type, valueCache: type },
    params: { added: "u32", capacity: "u32", row: "u32", head: "u32" },
    workgroupSize: [WORKGROUP_SIZE],
    linear: true,
    body: `
  let token = index / p.row;
  let b = token / p.added;
  let place = i32(lengths[b]) - i32(p.added) + i32(token % p.added);
  if (place < 0 || place >= i32(p.capacity)) { return; }
  let at = (b * p.capacity + u32(place)) * p.row + index % p.row;
  var key = k[index];
  ${rotary ? `let chunk = index % p.head;
  let first = index - chunk;
  ${turnChunk(rotary, { value: "key", position: "u32(place)", chunk: "chunk", partner: (chunk) => `k[first + ${chunk}]`, inverse: false, whole: false })}` : ""}
  keyCache[at] = key;
  valueCache[at] = v[index];`,
  });
}

export function lowerExtendCache({ attributes: { rotary }, inputs: [, , k, v, lengths, table], outputs: [keyCache, valueCache], dispatch }: LowerContext<ExtendCacheAttributes>): void {
  const row = sizeOf(k!.type.shape.slice(2));
  const width = row % 4 === 0 ? 4 : 1;
  const count = sizeOf(k!.type.shape) / width;
  const { dtype } = lengths!.type;
  dispatch({
    kernel: kernelOnce([dtype, width, rotary], () => extendKernel(dtype, width, rotary)),
    buffers: [k!, v!, lengths!, ...(table ? [table] : []), keyCache!, valueCache!],
    params: { count, added: k!.type.shape[1]!, capacity: keyCache!.type.shape[1]!, row: row / width, head: k!.type.shape[3]! / width },
    workgroups: linearWorkgroups(count, WORKGROUP_SIZE),
    flops: 0,
    bytes: 16 * count * width,
  });
}
