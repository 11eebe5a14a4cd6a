import { defineKernel, linearWorkgroups, type Kernel } from "../../program/kernel.ts";
import { kernelMemo } from "../../program/kernel-memo.ts";
import type { LowerContext } from "../../program/op.ts";
import { bytesOf } from "./forward.wgsl.ts";
import { chunksOfRows, columnWorkgroupSize } from "../rowwise/columns.ts";
import { rowsOf, typeOf, type Width } from "../rowwise/rows.ts";

interface ParameterVariant {
  readonly centred: boolean;
  readonly bias: boolean;
  readonly width: Width;
  readonly workgroupSize: number;
}

const writesOf = (bias: boolean, array: string) => ({ dWeight: array, ...(bias && { dBias: array }) });

/** A lane per chunk of rows and column: neighbours in a row, so that loads are contiguous. */
function partialKernel({ centred, bias, width, workgroupSize }: ParameterVariant): Kernel {
  const type = typeOf(width);
  const array = `array<${type}>`;
  return defineKernel({
    label: `${centred ? "layerNorm" : "rmsNorm"}/parameters${bias ? "" : "/weight"}/x${width}`,
    reads: { x: array, ...(centred && { mean: "array<f32>" }), inverseDeviation: "array<f32>", dy: array },
    writes: writesOf(bias, array),
    params: { rows: "u32", steps: "u32", chunk: "u32" },
    workgroupSize: [workgroupSize],
    linear: true,
    body: `
  let column = index % p.steps;
  let begin = (index / p.steps) * p.chunk;
  let end = min(begin + p.chunk, p.rows);
  var weightTotal = ${type}(0);
  ${bias ? `var biasTotal = ${type}(0);` : ""}
  for (var row = begin; row < end; row++) {
    let g = dy[row * p.steps + column];
    weightTotal += g * (${centred ? "(x[row * p.steps + column] - mean[row])" : "x[row * p.steps + column]"} * inverseDeviation[row]);
    ${bias ? "biasTotal += g;" : ""}
  }
  dWeight[index] = weightTotal;
  ${bias ? "dBias[index] = biasTotal;" : ""}`,
  });
}

/** Adds the chunks in order: [chunks, features] → [features]. */
function foldKernel({ bias, width, workgroupSize }: ParameterVariant): Kernel {
  const type = typeOf(width);
  const array = `array<${type}>`;
  return defineKernel({
    label: `norm/fold${bias ? "" : "/weight"}/x${width}`,
    reads: { weights: array, ...(bias && { biases: array }) },
    writes: writesOf(bias, array),
    params: { chunks: "u32" },
    workgroupSize: [workgroupSize],
    linear: true,
    body: `
  var weightTotal = ${type}(0);
  ${bias ? `var biasTotal = ${type}(0);` : ""}
  for (var chunk = 0u; chunk < p.chunks; chunk++) {
    weightTotal += weights[chunk * p.count + index];
    ${bias ? "biasTotal += biases[chunk * p.count + index];" : ""}
  }
  dWeight[index] = weightTotal;
  ${bias ? "dBias[index] = biasTotal;" : ""}`,
  });
}

const kernelOnce = kernelMemo();

/** Inputs x, [mean], inverse deviation, dy; outputs dweight, [dbias]. */
export function lowerNormParameterGradients({ inputs, outputs, adapter, scratch, dispatch }: LowerContext<object>, { centred }: { centred: boolean }): void {
  const { rows, features, width, steps } = rowsOf(inputs[0]!.type.shape);
  const workgroupSize = columnWorkgroupSize(adapter);
  const variant: ParameterVariant = { centred, bias: outputs.length === 2, width, workgroupSize };
  const { chunk, chunks } = chunksOfRows(adapter, rows, steps);
  const partials = chunks === 1 ? outputs : outputs.map(() => scratch({ dtype: "f32", shape: [chunks, features] }));
  dispatch({
    kernel: kernelOnce(["partial", variant], () => partialKernel(variant)),
    buffers: [...inputs, ...partials],
    params: { count: chunks * steps, rows, steps, chunk },
    workgroups: linearWorkgroups(chunks * steps, workgroupSize),
    flops: 5 * rows * features,
    bytes: bytesOf([...inputs, ...partials]),
  });
  if (chunks === 1) return;
  dispatch({
    kernel: kernelOnce(["fold", variant], () => foldKernel(variant)),
    buffers: [...partials, ...outputs],
    params: { count: steps, chunks },
    workgroups: linearWorkgroups(steps, workgroupSize),
    flops: 2 * chunks * features,
    bytes: bytesOf([...partials, ...outputs]),
  });
}
