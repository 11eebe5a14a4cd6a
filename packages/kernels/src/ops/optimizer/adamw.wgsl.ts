import type { AdapterProfile } from "../../device/profile.ts";
import { defineKernel, linearWorkgroups, type Kernel } from "../../program/kernel.ts";
import { kernelMemo } from "../../program/kernel-memo.ts";
import { overlap, spanOf, type BufferRef } from "../../program/lowering.ts";
import type { LowerContext } from "../../program/op.ts";
import { sizeOf } from "../../program/types.ts";
import type { AdamWAttributes } from "./adamw.ts";
import { foursInto, PIECE_WGSL, piecesOf } from "./pieces.ts";

// Many tensors in one dispatch, as apex's multi_tensor_apply: the parameters lie in one buffer, their moments in two
// others, the gradients in a fourth, and a table says for each workgroup which piece of which tensor is its own.

/**
 * Fours that one lane updates, a workgroup apart: one each took lavapipe up to 1.8 times the CPU time. `atOnce` of them are loaded before
 * any is stored.
 */
const SHAPES = { software: { lanes: 32, foursPerLane: 16, atOnce: 1 }, gpu: { lanes: 256, foursPerLane: 4, atOnce: 4 } };
const TABLE_COLUMNS = 8;
const kernelOnce = kernelMemo();

/** What follows from the scalars is worked out once: they are four buffers, and eight is all that default limits allow. */
const factorsKernel = defineKernel({
  label: "adamW/factors",
  reads: { learningRate: "array<f32>", correction1: "array<f32>", correction2: "array<f32>", scale: "array<f32>" },
  writes: { factors: "array<vec4f>" },
  workgroupSize: [1],
  body: `  factors[0] = vec4f(learningRate[0], learningRate[0] / correction1[0], 1.0 / sqrt(correction2[0]), scale[0]);`,
});

function adamWKernel(lanes: number, atOnce: number): Kernel {
  const each = Array.from({ length: atOnce }, (_, u) => u);
  const at = (u: number) => (u === 0 ? "i" : `(i + ${u * lanes}u)`);
  const inside = (u: number, statement: string) => (u === 0 ? statement : `if (${at(u)} < fours) { ${statement} }`);
  return defineKernel({
    label: `adamW/${lanes}x${atOnce}`,
    reads: { gradients: "array<vec4f>", table: "array<vec4u>", factors: "array<vec4f>" },
    writes: { parameters: "array<vec4f>", firsts: "array<vec4f>", seconds: "array<vec4f>" },
    params: { pieces: "u32", oneMinusBeta1: "f32", oneMinusBeta2: "f32", epsilon: "f32" },
    workgroupSize: [lanes],
    body: `${PIECE_WGSL}
  let begins = table[2u * piece];
  let rest = table[2u * piece + 1u];
  let fours = rest.x;
  let learningRate = factors[0].x;
  let stepSize = factors[0].y;
  let spread = factors[0].z;
  let scale = factors[0].w;
  let keep = 1.0 - learningRate * bitcast<f32>(rest.z);
  for (var i = localIndex; i < fours; i += ${atOnce * lanes}u) {
    ${each.map((u) => `var g${u} = vec4f(0); var m${u} = vec4f(0); var v${u} = vec4f(0); var x${u} = vec4f(0);
    ${inside(u, `g${u} = gradients[begins.y + ${at(u)}] * scale; m${u} = firsts[begins.z + ${at(u)}]; v${u} = seconds[begins.w + ${at(u)}]; x${u} = parameters[begins.x + ${at(u)}];`)}`).join("\n    ")}
    ${each.map((u) => `// Padding stays zero, whatever lies behind the gradient.
    if (${at(u)} + 1u == fours) { g${u} = select(vec4f(0), g${u}, vec4u(0u, 1u, 2u, 3u) < vec4u(rest.y)); }
    m${u} += (g${u} - m${u}) * p.oneMinusBeta1;
    v${u} += (g${u} * g${u} - v${u}) * p.oneMinusBeta2;
    x${u} = x${u} * keep - stepSize * m${u} / (sqrt(v${u}) * spread + p.epsilon);
    ${inside(u, `firsts[begins.z + ${at(u)}] = m${u}; seconds[begins.w + ${at(u)}] = v${u}; parameters[begins.x + ${at(u)}] = x${u};`)}`).join("\n    ")}
  }`,
  });
}

/** One node's update: what a dispatch works on. */
interface Update {
  readonly context: LowerContext<AdamWAttributes>;
  readonly tensors: { readonly parameter: BufferRef; readonly gradient: BufferRef; readonly first: BufferRef; readonly second: BufferRef };
  readonly scalars: readonly BufferRef[];
}

export function lowerAdamW(contexts: readonly LowerContext<AdamWAttributes>[]): void {
  const updates = contexts.map((context): Update => {
    const [, gradient, , , ...scalars] = context.inputs;
    const [parameter, first, second] = context.outputs;
    return { context, tensors: { parameter: parameter!, gradient: gradient!, first: first!, second: second! }, scalars };
  });
  const place = ({ storage, offsetBytes = 0 }: BufferRef) => `${storage}@${offsetBytes}`;
  const factors = new Map<string, BufferRef>();
  const factorsOf = ({ scalars, context: { scratch, dispatch } }: Update): BufferRef => {
    const key = scalars.map(place).join();
    let y = factors.get(key);
    if (!y) {
      y = scratch({ dtype: "f32", shape: [4] });
      dispatch({ kernel: factorsKernel, buffers: [...scalars, y], workgroups: [1, 1, 1], flops: 3, bytes: 32 });
      factors.set(key, y);
    }
    return y;
  };
  const groups = new Map<string, Update[]>();
  for (const update of updates) {
    const { beta1, beta2, epsilon } = update.context.attributes;
    const key = [...Object.values(update.tensors).map(({ storage }) => storage), ...update.scalars.map(place), beta1, beta2, epsilon].join();
    groups.set(key, [...(groups.get(key) ?? []), update]);
  }
  for (const group of groups.values()) {
    // States made in turn, parameter, moments, parameter, … in one buffer: two bindings that are written may not overlap.
    const parts = overlap(spansOf(group).filter(({ name }) => name !== "gradient").map(({ span }) => span)) ? group.map((update) => [update]) : [group];
    for (const part of parts) updateAll(part, factorsOf(part[0]!));
  }
}

const TENSORS = ["parameter", "gradient", "first", "second"] as const;
const spansOf = (updates: readonly Update[]) => TENSORS.map((name) => ({ name, span: spanOf(updates.map(({ tensors }) => tensors[name])) }));

/** Updates whose tensors lie in the same four storages, by the same scalars. */
function updateAll(updates: readonly Update[], factors: BufferRef): void {
  const { adapter, attributes, table, dispatch } = updates[0]!.context;
  const { lanes, foursPerLane, atOnce } = shapeFor(adapter);
  const spans = spansOf(updates);
  const [parameters, gradients, firsts, seconds] = spans.map(({ span }) => span);
  const rows: number[] = [];
  for (const { tensors, context } of updates) {
    const begins = spans.map(({ name, span }) => foursInto(span, tensors[name]));
    for (const { firstFour, fours, inLastFour } of piecesOf(tensors.parameter, lanes * foursPerLane)) {
      rows.push(...begins.map((begin) => begin + firstFour), fours, inLastFour, bitsOf(context.attributes.weightDecay), 0);
    }
  }
  const pieces = rows.length / TABLE_COLUMNS;
  if (pieces === 0) return;
  const size = updates.reduce((total, { tensors }) => total + sizeOf(tensors.parameter.type.shape), 0);
  const { beta1, beta2, epsilon } = attributes;
  dispatch({
    kernel: kernelOnce(["adamW", lanes, atOnce], () => adamWKernel(lanes, atOnce)),
    buffers: [gradients!, table(Uint32Array.from(rows)), factors, parameters!, firsts!, seconds!],
    params: { pieces, oneMinusBeta1: 1 - beta1, oneMinusBeta2: 1 - beta2, epsilon },
    workgroups: linearWorkgroups(pieces, 1),
    flops: 15 * size,
    bytes: 4 * 7 * size,
  });
}

const shapeFor = ({ kind }: AdapterProfile) => SHAPES[kind === "software" ? "software" : "gpu"];
const bitsOf = (value: number): number => new Uint32Array(Float32Array.of(value).buffer)[0]!;
