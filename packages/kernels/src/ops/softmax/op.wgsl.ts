import { defineKernel, linearWorkgroups, type Kernel } from "../../program/kernel.ts";
import type { LowerContext } from "../../program/op.ts";
import type { SoftmaxAttributes } from "./op.ts";

const WORKGROUP_SIZE = 32;

type Width = 1 | 4;

const labelOf = (log: boolean) => (log ? "logSoftmax" : "softmax");
const typeOf = (width: Width) => (width === 4 ? "vec4f" : "f32");
const folded = (value: string, width: Width) => (width === 4 ? `dot(${value}, vec4f(1))` : value);

/** A lane per row: the largest, the sum, the row again. */
function forwardKernel(width: Width, log: boolean): Kernel {
  const type = typeOf(width);
  // exp of less than -87 is no longer a normal f32: make it 0 on every adapter.
  const exponential = `select(exp(max(below, ${type}(-87))), ${type}(0), below < ${type}(-87))`;
  return defineKernel({
    label: `${labelOf(log)}/x${width}`,
    reads: { x: `array<${type}>` },
    writes: { y: `array<${type}>` },
    params: { steps: "u32" },
    workgroupSize: [WORKGROUP_SIZE],
    linear: true,
    body: `
  let begin = index * p.steps;
  var tops = ${type}(-3.4028234663852886e38);
  for (var i = 0u; i < p.steps; i++) { tops = max(tops, x[begin + i]); }
  let top = ${width === 4 ? "max(max(tops.x, tops.y), max(tops.z, tops.w))" : "tops"};
  var sums = ${type}(0);
  for (var i = 0u; i < p.steps; i++) {
    let below = x[begin + i] - top;
    sums += ${exponential};
  }
  let sum = ${folded("sums", width)};
  ${log ? "let logSum = log(sum);" : "let scale = 1.0 / sum;"}
  for (var i = 0u; i < p.steps; i++) {
    let below = x[begin + i] - top;
    y[begin + i] = ${log ? "below - logSum" : `${exponential} * scale`};
  }`,
  });
}

function gradientKernel(width: Width, log: boolean): Kernel {
  const type = typeOf(width);
  return defineKernel({
    label: `${labelOf(log)}/gradient/x${width}`,
    reads: { y: `array<${type}>`, dy: `array<${type}>` },
    writes: { dx: `array<${type}>` },
    params: { steps: "u32" },
    workgroupSize: [WORKGROUP_SIZE],
    linear: true,
    body: `
  let begin = index * p.steps;
  var sums = ${type}(0);
  for (var i = 0u; i < p.steps; i++) { sums += dy[begin + i]${log ? "" : " * y[begin + i]"}; }
  let sum = ${folded("sums", width)};
  for (var i = 0u; i < p.steps; i++) {
    dx[begin + i] = ${log ? `dy[begin + i] - exp(max(y[begin + i], ${type}(-87))) * sum` : "y[begin + i] * (dy[begin + i] - sum)"};
  }`,
  });
}

const variants = (kernel: (width: Width, log: boolean) => Kernel) => ({
  probabilities: { 1: kernel(1, false), 4: kernel(4, false) },
  logarithms: { 1: kernel(1, true), 4: kernel(4, true) },
});
const forwardKernels = variants(forwardKernel);
const gradientKernels = variants(gradientKernel);

function lowerRows(kernels: typeof forwardKernels, flopsPerElement: number) {
  return ({ attributes: { log }, inputs, outputs, dispatch }: LowerContext<SoftmaxAttributes>): void => {
    const { shape } = outputs[0]!.type;
    const classes = shape.at(-1)!;
    const rows = shape.slice(0, -1).reduce((product, extent) => product * extent, 1);
    const width: Width = classes % 4 === 0 ? 4 : 1;
    dispatch({
      kernel: kernels[log ? "logarithms" : "probabilities"][width],
      buffers: [...inputs, ...outputs],
      params: { count: rows, steps: classes / width },
      workgroups: linearWorkgroups(rows, WORKGROUP_SIZE),
      flops: flopsPerElement * rows * classes,
      bytes: 4 * rows * classes * (inputs.length + 1),
    });
  };
}

export const lowerSoftmax = lowerRows(forwardKernels, 5);
export const lowerSoftmaxGradient = lowerRows(gradientKernels, 4);
