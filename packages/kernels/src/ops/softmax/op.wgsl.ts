import type { AdapterProfile } from "../../device/profile.ts";
import { defineKernel, linearWorkgroups, type Kernel } from "../../program/kernel.ts";
import { kernelMemo } from "../../program/kernel-memo.ts";
import type { LowerContext } from "../../program/op.ts";
import { chooseHeldRow, type HeldRow } from "../rowwise/held.ts";
import { heldSoftmaxGradientKernel, heldSoftmaxKernel } from "./held.wgsl.ts";
import { rowExponentials } from "../rowwise/exponentials.wgsl.ts";
import { choosePlainRowDesign, folded, rowLoop, rowOfInvocation, rowsOf, rowTotal, rowWorkgroups, rowWorkgroupSize, typeOf, type RowDesign, type Width } from "../rowwise/rows.ts";
import type { SoftmaxAttributes } from "./op.ts";

interface SoftmaxVariant extends SoftmaxAttributes {
  readonly width: Width;
  readonly design: RowDesign;
}

/** A turn of a loop is dear on a CPU beside what one element takes. */
const unrollOf = (width: Width) => 4 / width;

const labelOf = ({ log, width, design }: SoftmaxVariant, what = "") => `${log ? "logSoftmax" : "softmax"}${what}/${design.kind}/x${width}`;

/** Two readings of the row: its largest and its sum, then the result. */
function forwardKernel(variant: SoftmaxVariant): Kernel {
  const { log, width, design } = variant;
  const type = typeOf(width);
  const exponentials = rowExponentials(design, width, ["begin", "(begin + p.steps)"], (i) => `x[${i}]`, null);
  // exp of less than -87 is no longer a normal f32: make it 0 on every adapter.
  const probability = `select(exp(max(below, ${type}(-87))) * scale, ${type}(0), below < ${type}(-87))`;
  const result = rowLoop(design, [], (i) => ({ compute: `let below = x[begin + ${i}] - top; let value = ${log ? "below - logSum" : probability};`, store: `y[begin + ${i}] = value;` }), unrollOf(width));
  return defineKernel({
    label: labelOf(variant),
    reads: { x: `array<${type}>` },
    writes: { y: `array<${type}>` },
    params: { rows: "u32", steps: "u32" },
    workgroupSize: [rowWorkgroupSize(design)],
    module: exponentials.module,
    body: `${rowOfInvocation(design)}${exponentials.body}
  ${log ? "let logSum = log(sum);" : "let scale = 1.0 / sum;"}${result}`,
  });
}

function gradientKernel(variant: SoftmaxVariant): Kernel {
  const { log, width, design } = variant;
  const type = typeOf(width);
  const sums = rowLoop(design, [], (i) => ({ compute: `sums += dy[begin + ${i}]${log ? "" : ` * y[begin + ${i}]`};` }), unrollOf(width));
  const result = rowLoop(design, [], (i) => {
    const [y, dy] = [`y[begin + ${i}]`, `dy[begin + ${i}]`];
    return { compute: `let value = ${log ? `${dy} - exp(max(${y}, ${type}(-87))) * sum` : `${y} * (${dy} - sum)`};`, store: `dx[begin + ${i}] = value;` };
  }, unrollOf(width));
  return defineKernel({
    label: labelOf(variant, "/gradient"),
    reads: { y: `array<${type}>`, dy: `array<${type}>` },
    writes: { dx: `array<${type}>` },
    params: { rows: "u32", steps: "u32" },
    workgroupSize: [rowWorkgroupSize(design)],
    module: rowTotal(design),
    body: `${rowOfInvocation(design)}
  var sums = ${type}(0);${sums}
  let sum = rowTotal(vec2f(${folded("sums", width)}, 0.0), localIndex).x;${result}`,
  });
}

type RowChoice = (adapter: AdapterProfile, steps: number) => RowDesign | HeldRow;

const chooseRowOrHeld: RowChoice = (adapter, steps) => chooseHeldRow(adapter, steps) ?? choosePlainRowDesign(adapter, steps);

function lowerRows(name: string, kernel: (variant: SoftmaxVariant) => Kernel, heldKernel: typeof heldSoftmaxKernel, flopsPerElement: number) {
  const kernelOnce = kernelMemo();
  return ({ attributes: { log }, inputs, outputs, adapter, dispatch }: LowerContext<SoftmaxAttributes>, choose = chooseRowOrHeld): void => {
    const { rows, features, width, steps } = rowsOf(outputs[0]!.type.shape);
    const design = choose(adapter, steps);
    dispatch({
      kernel: kernelOnce([name, log, width, design], () => (design.kind === "held" ? heldKernel({ log, width, design }) : kernel({ log, width, design }))),
      buffers: [...inputs, ...outputs],
      params: { rows, steps },
      workgroups: design.kind === "held" ? linearWorkgroups(rows, 1) : rowWorkgroups(design, rows),
      flops: flopsPerElement * rows * features,
      bytes: 4 * rows * features * (inputs.length + 1),
    });
  };
}

export const lowerSoftmax = lowerRows("forward", forwardKernel, heldSoftmaxKernel, 5);
export const lowerSoftmaxGradient = lowerRows("gradient", gradientKernel, heldSoftmaxGradientKernel, 4);
