import { defineKernel, linearWorkgroups, type Kernel } from "../../program/kernel.ts";
import type { LowerContext } from "../../program/op.ts";
import { sizeOf } from "../../program/types.ts";
import type { AdamWAttributes } from "./adamw.ts";

const WORKGROUP_SIZE = 32;
/** Elements (or fours) that one lane updates, a workgroup apart: one each took lavapipe up to 1.8 times the CPU time. */
const PER_LANE = 16;

function adamWKernel(width: 1 | 4): Kernel {
  const type = width === 4 ? "vec4f" : "f32";
  const array = `array<${type}>`;
  const scalar = "array<f32>";
  return defineKernel({
    label: `adamW/x${width}`,
    // Eight storage buffers, all that default limits allow.
    reads: { gradient: array, learningRate: scalar, correction1: scalar, correction2: scalar, scale: scalar },
    writes: { parameter: array, first: array, second: array },
    params: { size: "u32", oneMinusBeta1: "f32", oneMinusBeta2: "f32", epsilon: "f32", weightDecay: "f32" },
    workgroupSize: [WORKGROUP_SIZE],
    linear: true,
    body: `
  let keep = 1.0 - learningRate[0] * p.weightDecay;
  let stepSize = learningRate[0] / correction1[0];
  let spread = 1.0 / sqrt(correction2[0]);
  let factor = scale[0];
  let begin = (index / ${WORKGROUP_SIZE}u) * ${WORKGROUP_SIZE * PER_LANE}u + index % ${WORKGROUP_SIZE}u;
  let end = min(begin + ${WORKGROUP_SIZE * PER_LANE}u, p.size);
  for (var i = begin; i < end; i += ${WORKGROUP_SIZE}u) {
    let g = gradient[i] * factor;
    let m = first[i] + (g - first[i]) * p.oneMinusBeta1;
    let v = second[i] + (g * g - second[i]) * p.oneMinusBeta2;
    first[i] = m;
    second[i] = v;
    parameter[i] = parameter[i] * keep - stepSize * m / (sqrt(v) * spread + p.epsilon);
  }`,
  });
}

const kernels = { 1: adamWKernel(1), 4: adamWKernel(4) };

export function lowerAdamW({ attributes: { beta1, beta2, epsilon, weightDecay }, inputs, outputs, dispatch }: LowerContext<AdamWAttributes>): void {
  const size = sizeOf(outputs[0]!.type.shape);
  const width = size % 4 === 0 ? 4 : 1;
  const count = WORKGROUP_SIZE * Math.ceil(size / width / (WORKGROUP_SIZE * PER_LANE));
  const [, gradient, , , ...scalars] = inputs;
  dispatch({
    kernel: kernels[width],
    buffers: [gradient!, ...scalars, ...outputs],
    params: { count, size: size / width, oneMinusBeta1: 1 - beta1, oneMinusBeta2: 1 - beta2, epsilon, weightDecay },
    workgroups: linearWorkgroups(count, WORKGROUP_SIZE),
    flops: 15 * size,
    bytes: 4 * 7 * size,
  });
}
