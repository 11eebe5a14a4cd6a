import { defineKernel, linearWorkgroups, type Kernel } from "../../program/kernel.ts";
import type { LowerContext } from "../../program/op.ts";
import type { LayerNormAttributes } from "./op.ts";

const WORKGROUP_SIZE = 32;
/** Rows that one invocation folds for the parameters' gradients; more invocations than this gives stop paying. */
const MIN_ROWS_PER_CHUNK = 32;
const MAX_CHUNKS = 256;

type Width = 1 | 4;

const typeOf = (width: Width) => (width === 4 ? "vec4f" : "f32");
/** Folds a vector of partial sums to one number. */
const folded = (value: string, width: Width) => (width === 4 ? `dot(${value}, vec4f(1))` : value);

/**
 * A lane per row. The variance is taken about a first mean, and the mean's own rounding error, Σ(x − mean), corrects both
 * (the corrected two-pass algorithm: Chan, Golub & LeVeque 1983, equation 1.7).
 */
function forwardKernel(width: Width): Kernel {
  const type = typeOf(width);
  return defineKernel({
    label: `layerNorm/x${width}`,
    reads: { x: `array<${type}>`, weight: `array<${type}>`, bias: `array<${type}>` },
    writes: { y: `array<${type}>`, mean: "array<f32>", inverseDeviation: "array<f32>" },
    params: { steps: "u32", inverseFeatures: "f32", epsilon: "f32" },
    workgroupSize: [WORKGROUP_SIZE],
    linear: true,
    body: `
  let begin = index * p.steps;
  var total = ${type}(0);
  for (var i = 0u; i < p.steps; i++) { total += x[begin + i]; }
  let firstMean = ${folded("total", width)} * p.inverseFeatures;
  var rest = ${type}(0);
  var squares = ${type}(0);
  for (var i = 0u; i < p.steps; i++) {
    let centred = x[begin + i] - firstMean;
    rest += centred;
    squares += centred * centred;
  }
  let correction = ${folded("rest", width)} * p.inverseFeatures;
  let variance = max(${folded("squares", width)} * p.inverseFeatures - correction * correction, 0.0);
  let rowMean = firstMean + correction;
  let scale = 1.0 / sqrt(variance + p.epsilon);
  for (var i = 0u; i < p.steps; i++) { y[begin + i] = (x[begin + i] - rowMean) * scale * weight[i] + bias[i]; }
  mean[index] = rowMean;
  inverseDeviation[index] = scale;`,
  });
}

/** A lane per row: dx = (g − mean(g) − x̂·mean(g·x̂)) / σ with g = dy·weight. */
function inputKernel(width: Width): Kernel {
  const type = typeOf(width);
  return defineKernel({
    label: `layerNorm/input/x${width}`,
    reads: { x: `array<${type}>`, weight: `array<${type}>`, mean: "array<f32>", inverseDeviation: "array<f32>", dy: `array<${type}>` },
    writes: { dx: `array<${type}>` },
    params: { steps: "u32", inverseFeatures: "f32" },
    workgroupSize: [WORKGROUP_SIZE],
    linear: true,
    body: `
  let begin = index * p.steps;
  let rowMean = mean[index];
  let scale = inverseDeviation[index];
  var sums = ${type}(0);
  var projections = ${type}(0);
  for (var i = 0u; i < p.steps; i++) {
    let g = dy[begin + i] * weight[i];
    sums += g;
    projections += g * ((x[begin + i] - rowMean) * scale);
  }
  let sum = ${folded("sums", width)} * p.inverseFeatures;
  let projection = ${folded("projections", width)} * p.inverseFeatures;
  for (var i = 0u; i < p.steps; i++) {
    let g = dy[begin + i] * weight[i];
    dx[begin + i] = scale * (g - sum - (x[begin + i] - rowMean) * scale * projection);
  }`,
  });
}

/** A lane per chunk of rows and column: neighbours in a row, so that loads are contiguous. */
function parametersKernel(width: Width): Kernel {
  const type = typeOf(width);
  return defineKernel({
    label: `layerNorm/parameters/x${width}`,
    reads: { x: `array<${type}>`, mean: "array<f32>", inverseDeviation: "array<f32>", dy: `array<${type}>` },
    writes: { dWeight: `array<${type}>`, dBias: `array<${type}>` },
    params: { rows: "u32", steps: "u32", chunk: "u32" },
    workgroupSize: [WORKGROUP_SIZE],
    linear: true,
    body: `
  let column = index % p.steps;
  let begin = (index / p.steps) * p.chunk;
  let end = min(begin + p.chunk, p.rows);
  var weightTotal = ${type}(0);
  var biasTotal = ${type}(0);
  for (var row = begin; row < end; row++) {
    let g = dy[row * p.steps + column];
    weightTotal += g * ((x[row * p.steps + column] - mean[row]) * inverseDeviation[row]);
    biasTotal += g;
  }
  dWeight[index] = weightTotal;
  dBias[index] = biasTotal;`,
  });
}

/** Adds the chunks in order: [chunks, features] twice → [features] twice. */
function foldKernel(width: Width): Kernel {
  const type = typeOf(width);
  return defineKernel({
    label: `layerNorm/fold/x${width}`,
    reads: { weights: `array<${type}>`, biases: `array<${type}>` },
    writes: { dWeight: `array<${type}>`, dBias: `array<${type}>` },
    params: { chunks: "u32" },
    workgroupSize: [WORKGROUP_SIZE],
    linear: true,
    body: `
  var weightTotal = ${type}(0);
  var biasTotal = ${type}(0);
  for (var chunk = 0u; chunk < p.chunks; chunk++) {
    weightTotal += weights[chunk * p.count + index];
    biasTotal += biases[chunk * p.count + index];
  }
  dWeight[index] = weightTotal;
  dBias[index] = biasTotal;`,
  });
}

const perWidth = (kernel: (width: Width) => Kernel) => ({ 1: kernel(1), 4: kernel(4) });
const kernels = { forward: perWidth(forwardKernel), input: perWidth(inputKernel), parameters: perWidth(parametersKernel), fold: perWidth(foldKernel) };

function extents(shape: readonly number[]) {
  const features = shape.at(-1)!;
  const rows = shape.slice(0, -1).reduce((product, extent) => product * extent, 1);
  const width: Width = features % 4 === 0 ? 4 : 1;
  return { features, rows, width, steps: features / width, inverseFeatures: 1 / Math.max(1, features) };
}

export function lowerLayerNorm({ attributes: { epsilon }, inputs, outputs, dispatch }: LowerContext<LayerNormAttributes>): void {
  const { features, rows, width, steps, inverseFeatures } = extents(inputs[0]!.type.shape);
  dispatch({
    kernel: kernels.forward[width],
    buffers: [...inputs, ...outputs],
    params: { count: rows, steps, inverseFeatures, epsilon },
    workgroups: linearWorkgroups(rows, WORKGROUP_SIZE),
    flops: 8 * rows * features,
    bytes: 4 * (2 * rows * features + 2 * features + 2 * rows),
  });
}

export function lowerLayerNormInput({ inputs, outputs, dispatch }: LowerContext<object>): void {
  const { features, rows, width, steps, inverseFeatures } = extents(inputs[0]!.type.shape);
  dispatch({
    kernel: kernels.input[width],
    buffers: [...inputs, ...outputs],
    params: { count: rows, steps, inverseFeatures },
    workgroups: linearWorkgroups(rows, WORKGROUP_SIZE),
    flops: 13 * rows * features,
    bytes: 4 * (3 * rows * features + features + 2 * rows),
  });
}

export function lowerLayerNormParameters({ inputs, outputs, scratch, dispatch }: LowerContext<object>): void {
  const { features, rows, width, steps } = extents(inputs[0]!.type.shape);
  const chunk = Math.max(MIN_ROWS_PER_CHUNK, Math.ceil(rows / MAX_CHUNKS));
  const chunks = Math.max(1, Math.ceil(rows / chunk));
  const partials = chunks === 1 ? outputs : outputs.map(() => scratch({ dtype: "f32", shape: [chunks, features] }));
  dispatch({
    kernel: kernels.parameters[width],
    buffers: [...inputs, ...partials],
    params: { count: chunks * steps, rows, steps, chunk },
    workgroups: linearWorkgroups(chunks * steps, WORKGROUP_SIZE),
    flops: 5 * rows * features,
    bytes: 4 * (2 * rows * features + 2 * rows + 2 * chunks * features),
  });
  if (chunks === 1) return;
  dispatch({
    kernel: kernels.fold[width],
    buffers: [...partials, ...outputs],
    params: { count: steps, chunks },
    workgroups: linearWorkgroups(steps, WORKGROUP_SIZE),
    flops: 2 * chunks * features,
    bytes: 4 * 2 * (chunks + 1) * features,
  });
}
