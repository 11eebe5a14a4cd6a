import { defineKernel, linearWorkgroups, type Kernel } from "../../program/kernel.ts";
import type { LowerContext } from "../../program/op.ts";
import { sizeOf } from "../../program/types.ts";
import type { CrossEntropyAttributes } from "./op.ts";

const WORKGROUP_SIZE = 32;
/** A row is cut so that a few rows of a large vocabulary still fill the adapter. */
const WANTED_INVOCATIONS = 2048;
const MIN_CLASSES_PER_CHUNK = 256;
/** Elements (or fours) of the gradient that one invocation writes: what it reads of its row is read once for all. */
const STEPS_PER_LANE = 16;

type Width = 1 | 4;

/**
 * [rows, chunks] → (largest, Σ exp(z − largest), Σ weight·(z − largest), Σ weight) of each chunk of each row. Chunk i is every
 * chunks-th class from i, so that neighbours load neighbours.
 */
function partialKernel(width: Width, weighted: boolean): Kernel {
  const type = width === 4 ? "vec4f" : "f32";
  const weight = weighted ? "weight[i]" : `${type}(1)`;
  const total = (value: string) => (width === 4 ? `dot(${value}, vec4f(1))` : value);
  return defineKernel({
    label: `crossEntropy/partial/x${width}${weighted ? "/weighted" : ""}`,
    reads: { logits: `array<${type}>`, ...(weighted && { weight: `array<${type}>` }) },
    writes: { partial: "array<vec4f>" },
    params: { steps: "u32", chunks: "u32" },
    workgroupSize: [WORKGROUP_SIZE],
    linear: true,
    body: `
  let row = index / p.chunks;
  let begin = row * p.steps;
  let first = index % p.chunks;
  var tops = ${type}(-3.4028234663852886e38);
  for (var i = first; i < p.steps; i += p.chunks) { tops = max(tops, logits[begin + i]); }
  let top = ${width === 4 ? "max(max(tops.x, tops.y), max(tops.z, tops.w))" : "tops"};
  var sums = ${type}(0);
  var products = ${type}(0);
  var weights = ${type}(0);
  for (var i = first; i < p.steps; i += p.chunks) {
    let below = logits[begin + i] - top;
    sums += exp(max(below, ${type}(-87)));
    products += ${weight} * below;
    weights += ${weight};
  }
  partial[index] = vec4f(top, ${total("sums")}, ${total("products")}, ${total("weights")});`,
  });
}

/** A lane per row folds the row's chunks and looks the label up. */
function foldKernel(weighted: boolean): Kernel {
  return defineKernel({
    label: `crossEntropy/fold${weighted ? "/weighted" : ""}`,
    reads: { partial: "array<vec4f>", logits: "array<f32>", labels: "array<i32>", ...(weighted && { weight: "array<f32>" }) },
    writes: { losses: "array<f32>", counted: "array<f32>", statistics: "array<vec4f>" },
    params: { classes: "u32", chunks: "u32", ignoreIndex: "i32", labelSmoothing: "f32" },
    workgroupSize: [WORKGROUP_SIZE],
    linear: true,
    body: `
  var top = -3.4028234663852886e38;
  for (var chunk = 0u; chunk < p.chunks; chunk++) { top = max(top, partial[index * p.chunks + chunk].x); }
  var sum = 0.0;
  var product = 0.0;
  var weights = 0.0;
  for (var chunk = 0u; chunk < p.chunks; chunk++) {
    let part = partial[index * p.chunks + chunk];
    sum += part.y * exp(max(part.x - top, -87.0));
    product += part.z + part.w * (part.x - top);
    weights += part.w;
  }
  let logSum = log(sum);
  let label = labels[index];
  let class_ = u32(clamp(label, 0, i32(p.classes) - 1));
  let own = select(${weighted ? "weight[class_]" : "1.0"}, 0.0, label == p.ignoreIndex);
  let spread = select(p.labelSmoothing / f32(p.classes), 0.0, label == p.ignoreIndex);
  let hit = (1.0 - p.labelSmoothing) * own * (top - logits[index * p.classes + class_] + logSum);
  // Where nothing is spread, the sum over all classes may have overflowed and must not be multiplied by 0.
  losses[index] = hit + select(0.0, spread * (weights * logSum - product), spread > 0.0);
  counted[index] = own;
  statistics[index] = vec4f(top, logSum, (1.0 - p.labelSmoothing) * own + spread * weights, 0.0);`,
  });
}

/** dz = g·(Σtargets · softmax(z) − targets), in place. `lanes` invocations share a tile of one row and take turns in it. */
function gradientKernel(width: Width, weighted: boolean): Kernel {
  const type = width === 4 ? "vec4f" : "f32";
  const classes = width === 4 ? "vec4u(column * 4u) + vec4u(0u, 1u, 2u, 3u)" : "column";
  return defineKernel({
    label: `crossEntropy/gradient/x${width}${weighted ? "/weighted" : ""}`,
    reads: { labels: "array<i32>", statistics: "array<vec4f>", g: "array<f32>", ...(weighted && { weight: `array<${type}>` }) },
    writes: { logits: `array<${type}>` },
    params: { steps: "u32", lanes: "u32", tiles: "u32", ignoreIndex: "i32", labelSmoothing: "f32" },
    workgroupSize: [WORKGROUP_SIZE],
    linear: true,
    body: `
  let tile = index / p.lanes;
  let row = tile / p.tiles;
  let begin = (tile % p.tiles) * p.lanes * ${STEPS_PER_LANE}u;
  let end = min(begin + p.lanes * ${STEPS_PER_LANE}u, p.steps);
  let saved = statistics[row];
  let counts = labels[row] != p.ignoreIndex;
  let last = i32(p.steps * ${width}u) - 1;
  let label = ${width === 4 ? "vec4u" : "u32"}(u32(clamp(labels[row], 0, last)));
  let spread = p.labelSmoothing / f32(last + 1);
  let scale = g[row];
  for (var column = begin + index % p.lanes; column < end; column += p.lanes) {
    let at = row * p.steps + column;
    let hit = select(${type}(0), ${type}(1.0 - p.labelSmoothing), ${classes} == label);
    let targets = (hit + spread)${weighted ? " * weight[column]" : ""};
    let probability = exp(max(logits[at] - saved.x - saved.y, ${type}(-87)));
    logits[at] = select(${type}(0), scale * (saved.z * probability - targets), counts);
  }`,
  });
}

const variants = (kernel: (width: Width, weighted: boolean) => Kernel) => ({
  plain: { 1: kernel(1, false), 4: kernel(4, false) },
  weighted: { 1: kernel(1, true), 4: kernel(4, true) },
});
const partialKernels = variants(partialKernel);
const gradientKernels = variants(gradientKernel);
const foldKernels = { plain: foldKernel(false), weighted: foldKernel(true) };

export function lowerCrossEntropy({ attributes, inputs: [logits, labels, weight], outputs, scratch, dispatch }: LowerContext<CrossEntropyAttributes>): void {
  const classes = logits!.type.shape.at(-1)!;
  const rows = sizeOf(labels!.type.shape);
  const width: Width = classes % 4 === 0 ? 4 : 1;
  const kind = weight ? "weighted" : "plain";
  const weights = weight ? [weight] : [];
  const chunks = Math.max(1, Math.min(Math.floor(classes / MIN_CLASSES_PER_CHUNK), Math.ceil(WANTED_INVOCATIONS / Math.max(1, rows))));
  const partial = scratch({ dtype: "f32", shape: [rows, chunks, 4] });
  dispatch({
    kernel: partialKernels[kind][width],
    buffers: [logits!, ...weights, partial],
    params: { count: rows * chunks, steps: classes / width, chunks },
    workgroups: linearWorkgroups(rows * chunks, WORKGROUP_SIZE),
    flops: 7 * rows * classes,
    bytes: 4 * rows * (classes + 4 * chunks),
  });
  dispatch({
    kernel: foldKernels[kind],
    buffers: [partial, logits!, labels!, ...weights, ...outputs],
    params: { count: rows, classes, chunks, ...attributes },
    workgroups: linearWorkgroups(rows, WORKGROUP_SIZE),
    flops: 10 * rows * chunks,
    bytes: 4 * rows * (4 * chunks + 8),
  });
}

export function lowerCrossEntropyGradient({ attributes, inputs: [, labels, statistics, g, weight], outputs: [dLogits], dispatch }: LowerContext<CrossEntropyAttributes>): void {
  const classes = dLogits!.type.shape.at(-1)!;
  const width: Width = classes % 4 === 0 ? 4 : 1;
  const steps = classes / width;
  const lanes = Math.min(WORKGROUP_SIZE, steps);
  const tiles = Math.ceil(steps / (lanes * STEPS_PER_LANE));
  const size = sizeOf(dLogits!.type.shape);
  const count = (size / classes) * tiles * lanes;
  dispatch({
    kernel: gradientKernels[weight ? "weighted" : "plain"][width],
    buffers: [labels!, statistics!, g!, ...(weight ? [weight] : []), dLogits!],
    params: { count, steps, lanes, tiles, ...attributes },
    workgroups: linearWorkgroups(count, WORKGROUP_SIZE),
    flops: 6 * size,
    bytes: 4 * 2 * size,
  });
}
