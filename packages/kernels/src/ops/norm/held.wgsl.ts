import { defineKernel, type Kernel } from "../../program/kernel.ts";
import { heldEach, heldJoin, heldLoad, heldSetup, heldSteps, type HeldRow } from "../rowwise/held.ts";
import { folded, typeOf, type Width } from "../rowwise/rows.ts";
import type { NormForm } from "./forward.wgsl.ts";

const sum = (a: string, b: string) => `${a} + ${b}`;

/** As the forward kernel of forward.wgsl.ts, of rows that a workgroup holds: exact moments, by the mean first. */
export function heldForwardKernel({ centred, bias, residual, statistics, width, design }: NormForm & { readonly statistics: boolean; readonly width: Width; readonly design: HeldRow }): Kernel {
  const array = `array<${typeOf(width)}>`;
  const values = heldSteps(design).map((k) => `x${k}`);
  const squares = (of: (value: string) => string) => folded(`(${values.map((value) => `${of(value)} * ${of(value)}`).join(" + ")})`, width);
  // Past the row's end nothing counts: (0 − mean)² would.
  const centre = values.map((value, k) => `${value} = select(${typeOf(width)}(0), ${value} - rowMean, step${k} < p.steps);`).join(" ");
  return defineKernel({
    label: `${centred ? "layerNorm" : "rmsNorm"}${residual ? "/add" : ""}/held${design.lanes}x${design.perLane}/x${width}`,
    enable: ["subgroups"],
    reads: { x: array, weight: array, ...(bias && { bias: array }), ...(residual && { residual: array }) },
    writes: { y: array, ...(residual && { sum: array }), ...(statistics && { ...(centred && { mean: "array<f32>" }), inverseDeviation: "array<f32>" }) },
    params: { rows: "u32", steps: "u32", residualRows: "u32", inverseFeatures: "f32", epsilon: "f32", weightOffset: "f32" },
    workgroupSize: [design.lanes],
    module: `${centred ? heldJoin(design, "rowTotal", "f32", sum) : ""}${heldJoin(design, "rowSquares", "f32", sum)}`,
    body: `${heldSetup(design)}
  ${residual ? "let residualBegin = (row % p.residualRows) * p.steps;" : ""}
  ${heldLoad(design, "x", width, (step) => (residual ? `x[begin + ${step}] + residual[residualBegin + ${step}]` : `x[begin + ${step}]`))}
  ${residual ? heldEach(design, (k, step) => `sum[begin + ${step}] = x${k};`) : ""}
  ${centred ? `let rowMean = rowTotal(${folded(`(${values.join(" + ")})`, width)}, localIndex) * p.inverseFeatures;\n  ${centre}` : ""}
  let scale = 1.0 / sqrt(rowSquares(${squares((value) => value)}, localIndex) * p.inverseFeatures + p.epsilon);
  ${heldEach(design, (k, step) => `y[begin + ${step}] = (x${k} * scale) * (weight[${step}] + p.weightOffset)${bias ? ` + bias[${step}]` : ""};`)}
  ${statistics ? `if (localIndex == 0u) { ${centred ? "mean[row] = rowMean; " : ""}inverseDeviation[row] = scale; }` : ""}`,
  });
}

/** As the kernel of input-gradient.wgsl.ts. */
export function heldInputGradientKernel({ centred, addend, width, design }: { readonly centred: boolean; readonly addend: boolean; readonly width: Width; readonly design: HeldRow }): Kernel {
  const array = `array<${typeOf(width)}>`;
  const steps = heldSteps(design);
  return defineKernel({
    label: `${centred ? "layerNorm" : "rmsNorm"}/input${addend ? "/add" : ""}/held${design.lanes}x${design.perLane}/x${width}`,
    enable: ["subgroups"],
    reads: { x: array, weight: array, ...(centred && { mean: "array<f32>" }), inverseDeviation: "array<f32>", dy: array, ...(addend && { addend: array }) },
    writes: { dx: array },
    params: { rows: "u32", steps: "u32", inverseFeatures: "f32", weightOffset: "f32" },
    workgroupSize: [design.lanes],
    module: heldJoin(design, "rowTotals", "vec2f", sum),
    body: `${heldSetup(design)}
  ${heldLoad(design, "x", width, (step) => `x[begin + ${step}]`)}
  ${heldLoad(design, "g", width, (step) => `dy[begin + ${step}]`)}
  ${centred ? "let rowMean = mean[row];" : ""}
  let scale = inverseDeviation[row];
  ${heldEach(design, (k, step) => `x${k} = ${centred ? `(x${k} - rowMean)` : `x${k}`} * scale; g${k} *= weight[${step}] + p.weightOffset;`)}
  let means = rowTotals(vec2f(${centred ? folded(`(${steps.map((k) => `g${k}`).join(" + ")})`, width) : "0.0"}, ${folded(`(${steps.map((k) => `g${k} * x${k}`).join(" + ")})`, width)}), localIndex) * p.inverseFeatures;
  ${heldEach(design, (k, step) => `dx[begin + ${step}] = scale * (g${k}${centred ? " - means.x" : ""} - x${k} * means.y)${addend ? ` + addend[begin + ${step}]` : ""};`)}`,
  });
}
