import { defineKernel, linearWorkgroups, type Kernel } from "../../program/kernel.ts";
import { kernelMemo } from "../../program/kernel-memo.ts";
import type { LowerContext } from "../../program/op.ts";
import { bytesOf, type RowChoice } from "./forward.wgsl.ts";
import { heldInputGradientKernel } from "./held.wgsl.ts";
import { chooseHeldRow } from "../rowwise/held.ts";
import { choosePlainRowDesign, folded, rowBuiltins, rowLoop, rowOfInvocation, rowsOf, rowTotal, rowWorkgroups, rowWorkgroupSize, typeOf, type RowDesign, type Width } from "../rowwise/rows.ts";

interface InputGradientVariant {
  readonly centred: boolean;
  /** True: a gradient that came along another path is added. */
  readonly addend: boolean;
  readonly width: Width;
  readonly design: RowDesign;
}

/** dx = (g − mean(g) − x̂·mean(g·x̂)) / σ + addend, with g = dy·(weight + offset); without mean(g) where the norm takes no mean off. */
function inputGradientKernel({ centred, addend, width, design }: InputGradientVariant): Kernel {
  const type = typeOf(width);
  const array = `array<${type}>`;
  const normalized = (i: string) => (centred ? `(x[begin + ${i}] - rowMean) * scale` : `x[begin + ${i}] * scale`);
  const sums = rowLoop(design, ["weight"], (i, valueOf) => ({
    compute: `let g = dy[begin + ${i}] * (${valueOf("weight")} + p.weightOffset); ${centred ? "sums += g; " : ""}projections += g * (${normalized(i)});`,
  }));
  const result = rowLoop(design, ["weight"], (i, valueOf) => ({
    compute: `let value = scale * (dy[begin + ${i}] * (${valueOf("weight")} + p.weightOffset)${centred ? " - means.x" : ""} - ${normalized(i)} * means.y)${addend ? ` + addend[begin + ${i}]` : ""};`,
    store: `dx[begin + ${i}] = value;`,
  }));
  return defineKernel({
    label: `${centred ? "layerNorm" : "rmsNorm"}/input${addend ? "/add" : ""}/${design.kind}/x${width}`,
    reads: { x: array, weight: array, ...(centred && { mean: "array<f32>" }), inverseDeviation: "array<f32>", dy: array, ...(addend && { addend: array }) },
    writes: { dx: array },
    params: { rows: "u32", steps: "u32", inverseFeatures: "f32", weightOffset: "f32" },
    workgroupSize: [rowWorkgroupSize(design)],
    ...rowBuiltins(design),
    module: rowTotal(design),
    body: `${rowOfInvocation(design)}
  ${centred ? "let rowMean = mean[row];" : ""}
  let scale = inverseDeviation[row];
  ${centred ? `var sums = ${type}(0);` : ""}
  var projections = ${type}(0);${sums}
  let means = rowTotal(vec2f(${centred ? folded("sums", width) : "0.0"}, ${folded("projections", width)}), localIndex) * p.inverseFeatures;${result}`,
  });
}

const kernelOnce = kernelMemo();

/** Inputs x, weight, [mean], inverse deviation, dy, [addend]; output dx. */
export function lowerNormInputGradient(
  { inputs, outputs, adapter, dispatch }: Pick<LowerContext<object>, "inputs" | "outputs" | "adapter" | "dispatch">,
  { centred, weightOffset }: { centred: boolean; weightOffset: number },
  // Sharing the weight saves a CPU a twentieth here and takes its compiler four times as long.
  choose: RowChoice = (profile, length) => chooseHeldRow(profile, length) ?? choosePlainRowDesign(profile, length),
): void {
  const { rows, features, width, steps } = rowsOf(inputs[0]!.type.shape);
  const design = choose(adapter, steps);
  const variant = { centred, addend: inputs.length === (centred ? 6 : 5), width };
  dispatch({
    kernel: kernelOnce([variant, design], () => (design.kind === "held" ? heldInputGradientKernel({ ...variant, design }) : inputGradientKernel({ ...variant, design }))),
    buffers: [...inputs, ...outputs],
    params: { rows, steps, inverseFeatures: 1 / Math.max(1, features), weightOffset },
    workgroups: design.kind === "held" ? linearWorkgroups(rows, 1) : rowWorkgroups(design, rows),
    flops: 13 * rows * features,
    bytes: bytesOf([...inputs, ...outputs]),
  });
}
