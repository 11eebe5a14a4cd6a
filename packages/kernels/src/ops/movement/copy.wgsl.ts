import { defineKernel, linearWorkgroups, type Kernel } from "../../program/kernel.ts";
import type { BufferRef, DispatchSpec } from "../../program/lowering.ts";
import { sizeOf, type DType, type Shape } from "../../program/types.ts";

const WORKGROUP_SIZE = 32;
/** Inputs that one dispatch joins: with the output, the eight storage buffers of default limits. */
export const MAX_INPUTS = 7;

/** A tensor seen along one axis: rows of `extent` steps of `inner` elements. */
export interface AxisView {
  readonly outer: number;
  readonly extent: number;
  readonly inner: number;
}

export function viewAxis(shape: Shape, axis: number): AxisView {
  return { outer: sizeOf(shape.slice(0, axis)), extent: shape[axis]!, inner: sizeOf(shape.slice(axis + 1)) };
}

const typeOf = (dtype: DType, width: 1 | 4) => (width === 4 ? `vec4<${dtype}>` : dtype);

/**
 * y[outer, i, inner] = x[outer, i + shift, inner] where that lies in x, else 0: a slice for shift ≥ 0, padding for
 * shift ≤ 0. Rows and shift are counted in elements of the kernel's width.
 */
function windowKernel(dtype: DType, width: 1 | 4): Kernel {
  const type = typeOf(dtype, width);
  return defineKernel({
    label: `window/${dtype}/x${width}`,
    reads: { x: `array<${type}>` },
    writes: { y: `array<${type}>` },
    params: { xRow: "u32", yRow: "u32", shift: "i32" },
    workgroupSize: [WORKGROUP_SIZE],
    linear: true,
    body: `
  let outer = index / p.yRow;
  let at = i32(index % p.yRow) + p.shift;
  var value = ${type}(0);
  if (at >= 0 && u32(at) < p.xRow) { value = x[outer * p.xRow + u32(at)]; }
  y[index] = value;`,
  });
}

/** Joins rows of several inputs into [begin, begin + Σ rows) of each output row. */
function joinKernel(dtype: DType, width: 1 | 4, inputs: number): Kernel {
  const type = typeOf(dtype, width);
  const each = Array.from({ length: inputs }, (_, i) => i);
  return defineKernel({
    label: `concat/${inputs}/${dtype}/x${width}`,
    reads: Object.fromEntries(each.map((i) => [`x${i}`, `array<${type}>`])),
    writes: { y: `array<${type}>` },
    params: { joinedRow: "u32", yRow: "u32", begin: "u32", ...Object.fromEntries(each.map((i) => [`row${i}`, "u32"])) },
    workgroupSize: [WORKGROUP_SIZE],
    linear: true,
    body: `
  let outer = index / p.joinedRow;
  var at = index % p.joinedRow;
  let target_ = outer * p.yRow + p.begin + at;
${each.map((i) => `  if (at < p.row${i}) { y[target_] = x${i}[outer * p.row${i} + at]; return; }\n  at -= p.row${i};`).join("\n")}`,
  });
}

const known = new Map<string, Kernel>();
function kernelNamed(key: string, create: () => Kernel): Kernel {
  const kernel = known.get(key) ?? create();
  known.set(key, kernel);
  return kernel;
}

/** The dispatch that copies a window of `x` along an axis into `y`; see `windowKernel`. */
export function windowDispatch(x: BufferRef, y: BufferRef, axis: number, shift: number): DispatchSpec {
  const from = viewAxis(x.type.shape, axis);
  const to = viewAxis(y.type.shape, axis);
  const [xRow, yRow, offset] = [from.extent * from.inner, to.extent * to.inner, shift * to.inner];
  const width = [xRow, yRow, offset].every((value) => value % 4 === 0) ? 4 : 1;
  const count = (to.outer * yRow) / width;
  const { dtype } = x.type;
  return {
    kernel: kernelNamed(`window/${dtype}/${width}`, () => windowKernel(dtype, width)),
    buffers: [x, y],
    params: { count, xRow: xRow / width, yRow: yRow / width, shift: offset / width },
    workgroups: linearWorkgroups(count, WORKGROUP_SIZE),
    flops: 0,
    bytes: 4 * (count * width + Math.min(sizeOf(x.type.shape), count * width)),
  };
}

/** The dispatch that writes up to seven inputs side by side into `y` from step `begin` of the axis. */
export function joinDispatch(inputs: readonly BufferRef[], y: BufferRef, axis: number, begin: number): DispatchSpec {
  const { outer, extent, inner } = viewAxis(y.type.shape, axis);
  const rows = inputs.map(({ type }) => type.shape[axis]! * inner);
  const width = [...rows, extent * inner, begin * inner].every((value) => value % 4 === 0) ? 4 : 1;
  const joinedRow = rows.reduce((a, b) => a + b, 0) / width;
  const count = outer * joinedRow;
  const { dtype } = y.type;
  return {
    kernel: kernelNamed(`join/${inputs.length}/${dtype}/${width}`, () => joinKernel(dtype, width, inputs.length)),
    buffers: [...inputs, y],
    params: { count, joinedRow, yRow: (extent * inner) / width, begin: (begin * inner) / width, ...Object.fromEntries(rows.map((row, i) => [`row${i}`, row / width])) },
    workgroups: linearWorkgroups(count, WORKGROUP_SIZE),
    flops: 0,
    bytes: 8 * count * width,
  };
}
