import { defineKernel, linearWorkgroups, type Kernel } from "../../program/kernel.ts";
import { kernelMemo } from "../../program/kernel-memo.ts";
import type { LowerContext } from "../../program/op.ts";
import { sizeOf } from "../../program/types.ts";
import { rowsOf, typeOf, type Width } from "../rowwise/rows.ts";
import type { CrossEntropyAttributes } from "./op.ts";

/** Invocations side by side, and elements (or fours) of the gradient that each writes: what it reads of its row is read once for all. */
const GRADIENT_DESIGN = { software: { workgroupSize: 32, stepsPerLane: 16 }, gpu: { workgroupSize: 128, stepsPerLane: 4 } };

interface GradientVariant {
  readonly workgroupSize: number;
  readonly stepsPerLane: number;
  readonly width: Width;
  readonly weighted: boolean;
  readonly mean: boolean;
}

/** dz = g·(Σtargets · softmax(z) − targets), in place. `lanes` invocations share a tile of one row and take turns in it. */
function gradientKernel({ width, weighted, mean, workgroupSize, stepsPerLane }: GradientVariant): Kernel {
  const type = typeOf(width);
  const step = (column: string, logit: string) => `{
      let c = ${column};
      let at = row * p.steps + c;
      let hit = select(${type}(0), ${type}(1.0 - p.labelSmoothing), ${width === 4 ? "vec4u(c * 4u) + vec4u(0u, 1u, 2u, 3u)" : "c"} == label);
      let targets = (hit + spread)${weighted ? " * weight[c]" : ""};
      let probability = exp(max(${logit} - saved.x - saved.y, ${type}(-87)));
      logits[at] = select(${type}(0), scale * (saved.z * probability - targets), counts);
    }`;
  return defineKernel({
    label: `crossEntropy/gradient/x${width}${weighted ? "/weighted" : ""}${mean ? "/mean" : ""}`,
    reads: { labels: "array<i32>", statistics: "array<vec4f>", g: "array<f32>", ...(mean && { factor: "array<f32>" }), ...(weighted && { weight: `array<${type}>` }) },
    writes: { logits: `array<${type}>` },
    params: { steps: "u32", lanes: "u32", tiles: "u32", classes: "u32", first: "u32", rowsOfG: "u32", ignoreIndex: "i32", labelSmoothing: "f32" },
    workgroupSize: [workgroupSize],
    linear: true,
    body: `
  let tile = index / p.lanes;
  let row = tile / p.tiles;
  let begin = (tile % p.tiles) * p.lanes * ${stepsPerLane}u;
  let end = min(begin + p.lanes * ${stepsPerLane}u, p.steps);
  let saved = statistics[row];
  let counts = labels[row] != p.ignoreIndex;
  // Counted from the first class here: a label before it is a huge number, and hits nothing.
  let label = ${width === 4 ? "vec4u" : "u32"}(u32(clamp(labels[row], 0, i32(p.classes) - 1)) - p.first);
  let spread = p.labelSmoothing / f32(p.classes);
  let scale = g[min(row, p.rowsOfG - 1u)]${mean ? " * factor[0]" : ""};
  var column = begin + index % p.lanes;
  // A turn of a loop is dear on a CPU beside what one element takes.
  for (; column + 3u * p.lanes < end; column += 4u * p.lanes) {
    // All are read before one is written: nobody knows that these are different places.
    ${[0, 1, 2, 3].map((turn) => `let logit${turn} = logits[row * p.steps + column + ${turn}u * p.lanes];`).join("\n    ")}
    ${[0, 1, 2, 3].map((turn) => step(`column + ${turn}u * p.lanes`, `logit${turn}`)).join("\n    ")}
  }
  for (; column < end; column += p.lanes) ${step("column", "logits[at]")}`,
  });
}

const kernelOnce = kernelMemo();

/** Some classes of all there are. */
export interface ClassRange {
  readonly first: number;
  readonly classes: number;
}

/**
 * Inputs logits, labels, statistics, the loss's gradient, [a mean's factor], [weight]; the output is in the logits' memory.
 *
 * @param range what the logits are of; by default all classes
 */
export function lowerCrossEntropyGradient({ attributes: { reduction, ignoreIndex, labelSmoothing }, inputs, outputs: [dLogits], adapter, dispatch }: LowerContext<CrossEntropyAttributes>, range?: ClassRange): void {
  const [, labels, statistics, g, ...rest] = inputs;
  const { rows, features, width, steps } = rowsOf(dLogits!.type.shape);
  const { first, classes } = range ?? { first: 0, classes: features };
  // A GPU wants its lanes side by side, a CPU few of them that have much to do.
  const design = GRADIENT_DESIGN[adapter.kind === "software" ? "software" : "gpu"];
  const { workgroupSize, stepsPerLane } = design;
  const lanes = Math.min(workgroupSize, adapter.kind === "software" ? Math.ceil(steps / stepsPerLane) : steps);
  const tiles = Math.ceil(steps / (lanes * stepsPerLane));
  const size = rows * features;
  const count = rows * tiles * lanes;
  const mean = reduction === "mean";
  const variant: GradientVariant = { width, weighted: rest.length === (mean ? 2 : 1), mean, ...design };
  dispatch({
    kernel: kernelOnce(variant, () => gradientKernel(variant)),
    buffers: [labels!, statistics!, g!, ...rest, dLogits!],
    params: { count, steps, lanes, tiles, classes, first, rowsOfG: sizeOf(g!.type.shape), ignoreIndex, labelSmoothing },
    workgroups: linearWorkgroups(count, workgroupSize),
    flops: 6 * size,
    bytes: 4 * 2 * size,
  });
}
