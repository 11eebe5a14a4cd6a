import { defineKernel, type Kernel } from "../../program/kernel.ts";
import { heldEach, heldJoin, heldLoad, heldSetup, heldSteps, type HeldRow } from "../rowwise/held.ts";
import { folded, typeOf, type Width } from "../rowwise/rows.ts";

const LOWEST = "-3.4028234663852886e38";
const sum = (a: string, b: string) => `${a} + ${b}`;

interface HeldSoftmax {
  readonly log: boolean;
  readonly width: Width;
  readonly design: HeldRow;
}

/** As in op.wgsl.ts, of rows that a workgroup holds: the largest first, then the sum. */
export function heldSoftmaxKernel({ log, width, design }: HeldSoftmax): Kernel {
  const type = typeOf(width);
  const steps = heldSteps(design);
  const largest = steps.map((k) => `x${k}`).reduce((a, b) => `max(${a}, ${b})`);
  const exponential = (k: number) => `exp(max(x${k}, ${type}(-87)))`;
  return defineKernel({
    label: `${log ? "logSoftmax" : "softmax"}/held${design.lanes}x${design.perLane}/x${width}`,
    enable: ["subgroups"],
    reads: { x: `array<${type}>` },
    writes: { y: `array<${type}>` },
    params: { rows: "u32", steps: "u32" },
    workgroupSize: [design.lanes],
    module: `${heldJoin(design, "rowLargest", "f32", (a, b) => `max(${a}, ${b})`)}${heldJoin(design, "rowTotal", "f32", sum)}`,
    body: `${heldSetup(design)}
  ${heldLoad(design, "x", width, (step) => `x[begin + ${step}]`, LOWEST)}
  let tops = ${largest};
  let top = rowLargest(${width === 4 ? "max(max(tops.x, tops.y), max(tops.z, tops.w))" : "tops"}, localIndex);
  ${steps.map((k) => `x${k} -= top;`).join(" ")}
  var sums = ${type}(0);
  ${heldEach(design, (k) => (log ? `sums += ${exponential(k)};` : `let e = ${exponential(k)}; sums += e; x${k} = select(e, ${type}(0), x${k} < ${type}(-87));`))}
  let total = rowTotal(${folded("sums", width)}, localIndex);
  ${log ? "let logSum = log(total);" : "let scale = 1.0 / total;"}
  ${heldEach(design, (k, step) => `y[begin + ${step}] = x${k} ${log ? "- logSum" : "* scale"};`)}`,
  });
}

/** As in op.wgsl.ts. */
export function heldSoftmaxGradientKernel({ log, width, design }: HeldSoftmax): Kernel {
  const type = typeOf(width);
  const steps = heldSteps(design);
  return defineKernel({
    label: `${log ? "logSoftmax" : "softmax"}/gradient/held${design.lanes}x${design.perLane}/x${width}`,
    enable: ["subgroups"],
    reads: { y: `array<${type}>`, dy: `array<${type}>` },
    writes: { dx: `array<${type}>` },
    params: { rows: "u32", steps: "u32" },
    workgroupSize: [design.lanes],
    module: heldJoin(design, "rowTotal", "f32", sum),
    body: `${heldSetup(design)}
  ${heldLoad(design, "y", width, (step) => `y[begin + ${step}]`)}
  ${heldLoad(design, "g", width, (step) => `dy[begin + ${step}]`)}
  let total = rowTotal(${folded(`(${steps.map((k) => (log ? `g${k}` : `g${k} * y${k}`)).join(" + ")})`, width)}, localIndex);
  ${heldEach(design, (k, step) => `dx[begin + ${step}] = ${log ? `g${k} - exp(max(y${k}, ${type}(-87))) * total` : `y${k} * (g${k} - total)`};`)}`,
  });
}
