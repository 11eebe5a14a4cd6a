import type { AdapterProfile } from "../../device/profile.ts";
import { defineKernel, linearWorkgroups, type Kernel } from "../../program/kernel.ts";
import { kernelMemo } from "../../program/kernel-memo.ts";
import type { BufferRef } from "../../program/lowering.ts";
import type { LowerContext } from "../../program/op.ts";
import { sizeOf } from "../../program/types.ts";
import { centredMoments, plainMoments, type RowLoad } from "./moments.wgsl.ts";
import { chooseHeldRow, type HeldRow } from "../rowwise/held.ts";
import { heldForwardKernel } from "./held.wgsl.ts";
import { chooseRowDesign, rowBuiltins, rowLoop, rowOfInvocation, rowsOf, rowWorkgroups, rowWorkgroupSize, storingOnce, typeOf, type RowDesign, type Width } from "../rowwise/rows.ts";

/** Which norm: what changes a kernel's text. */
export interface NormForm {
  /** True: the row's mean is taken off (layer norm); false: it is not (RMS norm). */
  readonly centred: boolean;
  readonly bias: boolean;
  /** True: what is normalised is x + residual, and that sum is an output. */
  readonly residual: boolean;
}

interface ForwardVariant extends NormForm {
  /** True: the statistics are outputs, for the gradient. */
  readonly statistics: boolean;
  readonly width: Width;
  readonly design: RowDesign;
}

/** Two readings of the row: its moments, then (x − mean) / √(variance + epsilon) · (weight + offset) + bias. */
function forwardKernel({ centred, bias, residual, statistics, width, design }: ForwardVariant): Kernel {
  const type = typeOf(width);
  const array = `array<${type}>`;
  const load: RowLoad = residual
    ? (name, i) => ({ load: `let ${name} = x[begin + ${i}] + residual[residualBegin + ${i}];`, store: `sum[begin + ${i}] = ${name};` })
    : (name, i) => ({ load: `let ${name} = x[begin + ${i}];` });
  const moments = (centred ? centredMoments : plainMoments)(design, width, load);
  const normalize = rowLoop(design, bias ? ["weight", "bias"] : ["weight"], (i, valueOf) => {
    const value = `${residual ? "sum" : "x"}[begin + ${i}]`;
    const scaled = `(${centred ? `(${value} - rowMean)` : value} * scale) * (${valueOf("weight")} + p.weightOffset)`;
    return { compute: `let value = ${scaled}${bias ? ` + ${valueOf("bias")}` : ""};`, store: `y[begin + ${i}] = value;` };
  });
  return defineKernel({
    label: `${centred ? "layerNorm" : "rmsNorm"}${residual ? "/add" : ""}/${design.kind}/x${width}`,
    reads: { x: array, weight: array, ...(bias && { bias: array }), ...(residual && { residual: array }) },
    writes: { y: array, ...(residual && { sum: array }), ...(statistics && { ...(centred && { mean: "array<f32>" }), inverseDeviation: "array<f32>" }) },
    params: { rows: "u32", steps: "u32", residualRows: "u32", inverseFeatures: "f32", epsilon: "f32", weightOffset: "f32" },
    workgroupSize: [rowWorkgroupSize(design)],
    ...rowBuiltins(design),
    module: moments.module,
    body: `${rowOfInvocation(design)}
  ${residual ? "let residualBegin = (row % p.residualRows) * p.steps;" : ""}${moments.body}
  let scale = 1.0 / sqrt(meanSquare + p.epsilon);${normalize}
  ${statistics ? storingOnce(design, `${centred ? "mean[row] = rowMean; " : ""}inverseDeviation[row] = scale;`) : ""}`,
  });
}

const kernelOnce = kernelMemo();

/** What picks a design for rows of so many steps. */
export type RowChoice = (adapter: AdapterProfile, steps: number) => RowDesign | HeldRow;

const chooseRowOrHeld: RowChoice = (adapter, steps) => chooseHeldRow(adapter, steps) ?? chooseRowDesign(adapter, steps);

export interface NormSettings extends NormForm {
  readonly epsilon: number;
  readonly weightOffset: number;
}

/**
 * Inputs x, weight, [bias], [residual]; outputs y, [the sum], and the statistics where they are wanted.
 *
 * @param choose what picks the design; a test passes its own
 */
export function lowerNorm({ inputs, outputs, adapter, dispatch }: Pick<LowerContext<object>, "inputs" | "outputs" | "adapter" | "dispatch">, { epsilon, weightOffset, ...form }: NormSettings, choose: RowChoice = chooseRowOrHeld): void {
  const { rows, features, width, steps } = rowsOf(inputs[0]!.type.shape);
  const design = choose(adapter, steps);
  const statistics = outputs.length > (form.residual ? 2 : 1);
  const residualRows = form.residual ? rowsOf(inputs.at(-1)!.type.shape).rows : 1;
  const variant = { ...form, statistics, width };
  dispatch({
    kernel: kernelOnce([variant, design], () => (design.kind === "held" ? heldForwardKernel({ ...variant, design }) : forwardKernel({ ...variant, design }))),
    buffers: [...inputs, ...outputs],
    params: { rows, steps, residualRows, inverseFeatures: 1 / Math.max(1, features), epsilon, weightOffset },
    workgroups: design.kind === "held" ? linearWorkgroups(rows, 1) : rowWorkgroups(design, rows),
    flops: 8 * rows * features,
    bytes: bytesOf([...inputs, ...outputs]),
  });
}

export const bytesOf = (buffers: readonly BufferRef[]): number => buffers.reduce((total, { type }) => total + 4 * sizeOf(type.shape), 0);
