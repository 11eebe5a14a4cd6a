import { defineKernel, linearWorkgroups } from "../program/kernel.ts";
import type { Op } from "../program/op.ts";
import { emitOne, trace, type TracedFunction } from "../program/trace.ts";
import { sizeOf } from "../program/types.ts";

/** A way to double a number: fast or slow, right or wrong. */
export interface DoubleDesign {
  readonly name: string;
  /** Additions that do nothing but take time. */
  readonly work: number;
  readonly factor?: string;
}

export const SLOW: DoubleDesign = { name: "slow", work: 3000 };
export const FAST: DoubleDesign = { name: "fast", work: 1 };
export const WRONG: DoubleDesign = { name: "wrong", work: 0, factor: "2.001" };
export const NAN: DoubleDesign = { name: "nan", work: 0, factor: "bitcast<f32>(0x7fc00000u + p.count)" };
export const INVALID: DoubleDesign = { name: "invalid", work: 0, factor: "no_such_function()" };

/** 2x, by any of some designs. Counts what each lowering was told. */
export function doubling(designs: readonly DoubleDesign[], { version = 1, lowered = [] as string[] } = {}): Op<object, DoubleDesign> {
  return {
    name: "double",
    infer: ([x]) => [x!],
    reference: ([x], _, context) => {
      const y = context.zeros("f32", x!.shape);
      x!.data.forEach((value, i) => (y.data[i] = 2 * value));
      return [y];
    },
    tunable: { bucket: ([x]) => `${2 ** Math.ceil(Math.log2(sizeOf(x!.shape)))}`, designs: () => designs, naive: FAST },
    lower({ design, inputs, outputs, dispatch }) {
      lowered.push(design!.name);
      const { work, factor = "2.0" } = design!;
      const count = sizeOf(outputs[0]!.type.shape);
      const kernel = defineKernel({
        label: `double/${design!.name}`,
        reads: { x: "array<f32>" },
        writes: { y: "array<f32>" },
        workgroupSize: [64],
        linear: true,
        body: `/* ${version} */ var s = f32(p.count) * 0.0; for (var i = 0u; i < ${work}u; i++) { s = s * 0.5; }
  y[index] = x[index] * ${factor} + s;`,
      });
      dispatch({ kernel, buffers: [inputs[0]!, outputs[0]!], params: { count }, workgroups: linearWorkgroups(count, 64), flops: count, bytes: 8 * count });
    },
  };
}

export const doubled = (op: Op<object, DoubleDesign>): TracedFunction => ({ x }) => ({ y: emitOne(op as unknown as Op, [x!], {}) });
export const program = (op: Op<object, DoubleDesign>, size = 1000) => trace("double", { x: { dtype: "f32", shape: [size] } }, doubled(op));
