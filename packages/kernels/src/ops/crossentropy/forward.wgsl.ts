import type { AdapterProfile } from "../../device/profile.ts";
import { defineKernel, linearWorkgroups, type Kernel } from "../../program/kernel.ts";
import { kernelMemo } from "../../program/kernel-memo.ts";
import type { BufferRef } from "../../program/lowering.ts";
import type { LowerContext } from "../../program/op.ts";
import { sizeOf } from "../../program/types.ts";
import type { LossReduction } from "../losses/reduction.ts";
import { mergeParts, rowExponentials } from "../rowwise/exponentials.wgsl.ts";
import { choosePlainRowDesign, rowsOf, rowWorkgroups, rowWorkgroupSize, storingOnce, typeOf, type RowDesign, type Width } from "../rowwise/rows.ts";
import type { CrossEntropyAttributes } from "./op.ts";

interface PartVariant {
  readonly width: Width;
  readonly design: RowDesign;
  /** What all classes count for: nothing where labels are not smoothed. */
  readonly others: "none" | "equal" | "weighted";
}

/** [rows, chunks] → (largest z, Σ exp(z − largest), Σ weight·(z − largest), Σ weight) of each chunk of each row; the last two where labels are smoothed. */
function partKernel({ width, design, others }: PartVariant): Kernel {
  const type = typeOf(width);
  const [smooth, weighted] = [others !== "none", others === "weighted"];
  const weight = smooth ? (step: string) => (weighted ? `weight[${step} - row * p.steps]` : `${type}(1)`) : null;
  const exponentials = rowExponentials(design, width, ["first", "end"], (step) => `logits[${step}]`, weight);
  const part =
    design.kind === "lane"
      ? `
  let part = (workgroup.y * numWorkgroups.x + workgroup.x) * ${rowWorkgroupSize(design)}u + localIndex;
  if (part >= p.parts) { return; }
  let stores = true;`
      : `
  let part = workgroup.y * numWorkgroups.x + workgroup.x;
  if (part >= p.parts) { return; }`;
  return defineKernel({
    label: `crossEntropy/part/${design.kind}${smooth ? "/smooth" : ""}${weighted ? "/weighted" : ""}/x${width}`,
    reads: { logits: `array<${type}>`, ...(weighted && { weight: `array<${type}>` }) },
    writes: { partial: "array<vec4f>" },
    params: { parts: "u32", steps: "u32", chunks: "u32", chunk: "u32" },
    workgroupSize: [rowWorkgroupSize(design)],
    module: exponentials.module,
    body: `${part}
  let row = part / p.chunks;
  let first = row * p.steps + (part % p.chunks) * p.chunk;
  let end = min(first + p.chunk, (row + 1u) * p.steps);${exponentials.body}
  ${storingOnce(design, `partial[part] = vec4f(top, sum, ${smooth ? "product, mass" : "0.0, 0.0"});`)}`,
  });
}

/** Statements for a row's `loss`, the weight `own` of its class, and what the gradient needs of it. The label's logit lies where the two steps say. */
const ROW_LOSS = (weighted: boolean) => `
  var merged = partial[row * p.chunks];
  for (var chunk = 1u; chunk < p.chunks; chunk++) { merged = mergeParts(merged, partial[row * p.chunks + chunk]); }
  let logSum = log(merged.y);
  let label = labels[row];
  let class_ = u32(clamp(label, 0, i32(p.classes) - 1));
  let own = select(${weighted ? "weight[class_]" : "1.0"}, 0.0, label == p.ignoreIndex);
  let spread = select(p.labelSmoothing / f32(p.classes), 0.0, label == p.ignoreIndex);
  let hit = (1.0 - p.labelSmoothing) * own * (merged.x - logits[row * p.rowStep + class_ * p.classStep] + logSum);
  // Where nothing is spread, the sum over all classes may have overflowed and must not be multiplied by 0.
  let loss = hit + select(0.0, spread * (merged.w * logSum - merged.z), spread > 0.0);
  statistics[row] = vec4f(merged.x, logSum, (1.0 - p.labelSmoothing) * own + spread * merged.w, 0.0);`;

const ROW_READS = (weighted: boolean) => ({ partial: "array<vec4f>", logits: "array<f32>", labels: "array<i32>", ...(weighted && { weight: "array<f32>" }) });
const ROW_PARAMS = { classes: "u32", rowStep: "u32", classStep: "u32", chunks: "u32", ignoreIndex: "i32", labelSmoothing: "f32" } as const;
const ROWS_WORKGROUP = 32;

/** A lane per row folds the row's chunks and looks the label up. */
function rowsKernel(weighted: boolean): Kernel {
  return defineKernel({
    label: `crossEntropy/rows${weighted ? "/weighted" : ""}`,
    reads: ROW_READS(weighted),
    writes: { losses: "array<f32>", statistics: "array<vec4f>" },
    params: ROW_PARAMS,
    workgroupSize: [ROWS_WORKGROUP],
    linear: true,
    module: mergeParts,
    body: `
  let row = index;${ROW_LOSS(weighted)}
  losses[row] = loss;`,
  });
}

const TOTAL_LANES = 256;

/**
 * One workgroup does the same for all rows, and adds them up: the logits are far more to read than what is left of them. A
 * mean also says by what the gradient is multiplied, 1 / Σ weights; 1 where no row counts, whose loss is 0.
 */
function totalKernel(weighted: boolean, mean: boolean): Kernel {
  return defineKernel({
    label: `crossEntropy/${mean ? "mean" : "sum"}${weighted ? "/weighted" : ""}`,
    reads: ROW_READS(weighted),
    writes: { total: "array<f32>", statistics: "array<vec4f>", ...(mean && { scale: "array<f32>" }) },
    params: { rows: "u32", ...ROW_PARAMS },
    workgroupSize: [TOTAL_LANES],
    module: `${mergeParts}
var<workgroup> sums: array<vec2f, ${TOTAL_LANES}>;`,
    body: `
  var lossAndWeight = vec2f(0);
  for (var row = localIndex; row < p.rows; row += ${TOTAL_LANES}u) {${ROW_LOSS(weighted).replaceAll("\n", "\n  ")}
    lossAndWeight += vec2f(loss, own);
  }
  sums[localIndex] = lossAndWeight;
  workgroupBarrier();
  for (var half = ${TOTAL_LANES / 2}u; half > 0u; half /= 2u) {
    if (localIndex < half) { sums[localIndex] += sums[localIndex + half]; }
    workgroupBarrier();
  }
  if (localIndex == 0u) {
    ${mean ? "let factor = select(1.0 / sums[0].y, 1.0, sums[0].y == 0.0);\n    scale[0] = factor;\n    total[0] = sums[0].x * factor;" : "total[0] = sums[0].x;"}
  }`,
  });
}

const kernelOnce = kernelMemo();

/** A row is cut where a few rows of a large vocabulary would leave the adapter idle. */
const WANTED_PARTS = { software: 64, gpu: 512 };
const MIN_CLASSES_PER_CHUNK = { software: 256, gpu: 4096 };

export function choosePart(adapter: Pick<AdapterProfile, "kind" | "features">, rows: number, classes: number, steps: number): { design: RowDesign; chunks: number } {
  const kind = adapter.kind === "software" ? "software" : "gpu";
  const chunks = Math.min(Math.floor(classes / MIN_CLASSES_PER_CHUNK[kind]), Math.ceil(WANTED_PARTS[kind] / Math.max(1, rows)));
  return { design: choosePlainRowDesign(adapter, steps / Math.max(1, chunks)), chunks: Math.max(1, chunks) };
}

type Context = Pick<LowerContext<CrossEntropyAttributes>, "attributes" | "outputs" | "adapter" | "scratch" | "dispatch">;

/** What was found about each chunk of each row, [rows, chunks, 4]. */
export interface RowParts {
  readonly partial: BufferRef;
  readonly chunks: number;
}

/** Reads the logits, once. */
export function lowerParts({ attributes: { labelSmoothing }, adapter, scratch, dispatch }: Omit<Context, "outputs">, logits: BufferRef, weight?: BufferRef, choose = choosePart): RowParts {
  const { rows, features: classes, width, steps } = rowsOf(logits.type.shape);
  const { design, chunks: wanted } = choose(adapter, rows, classes, steps);
  const chunk = Math.ceil(steps / wanted);
  const chunks = Math.ceil(steps / chunk);
  const partial = scratch({ dtype: "f32", shape: [rows, chunks, 4] });
  const weights = labelSmoothing > 0 && weight ? [weight] : [];
  const variant: PartVariant = { width, design, others: labelSmoothing === 0 ? "none" : weights.length > 0 ? "weighted" : "equal" };
  dispatch({
    kernel: kernelOnce(["part", variant], () => partKernel(variant)),
    buffers: [logits, ...weights, partial],
    params: { parts: rows * chunks, steps, chunks, chunk },
    workgroups: rowWorkgroups(design, rows * chunks),
    flops: 4 * rows * classes,
    bytes: 4 * rows * (classes + 4 * chunks),
  });
  return { partial, chunks };
}

/** Where the logit of each row's label is: among all logits, or alone. */
export interface LabelLogits {
  readonly logits: BufferRef;
  readonly rowStep: number;
  readonly classStep: 0 | 1;
}

/** The losses (or their total), the rows' statistics, and for a mean the gradient's factor. */
export function lowerLosses({ attributes, outputs, dispatch }: Context, classes: number, { partial, chunks }: RowParts, { logits, ...places }: LabelLogits, labels: BufferRef, weight?: BufferRef): void {
  const { reduction, ignoreIndex, labelSmoothing } = attributes;
  const rows = sizeOf(labels.type.shape);
  const weighted = weight !== undefined;
  const kernels: Record<LossReduction, () => Kernel> = { none: () => rowsKernel(weighted), sum: () => totalKernel(weighted, false), mean: () => totalKernel(weighted, true) };
  dispatch({
    kernel: kernelOnce([reduction, weighted], kernels[reduction]),
    buffers: [partial, logits, labels, ...(weighted ? [weight] : []), ...outputs],
    params: { [reduction === "none" ? "count" : "rows"]: rows, classes, ...places, chunks, ignoreIndex, labelSmoothing },
    workgroups: reduction === "none" ? linearWorkgroups(rows, ROWS_WORKGROUP) : [1, 1, 1],
    flops: 10 * rows * chunks,
    bytes: 4 * rows * (4 * chunks + 8),
  });
}

export function lowerCrossEntropy(context: LowerContext<CrossEntropyAttributes>, choose = choosePart): void {
  const [logits, labels, weight] = context.inputs as [BufferRef, BufferRef, BufferRef | undefined];
  const classes = logits.type.shape.at(-1)!;
  lowerLosses(context, classes, lowerParts(context, logits, weight, choose), { logits, rowStep: classes, classStep: 1 }, labels, weight);
}
