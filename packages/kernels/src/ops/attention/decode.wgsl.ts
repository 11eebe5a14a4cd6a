import type { AdapterProfile } from "../../device/profile.ts";
import { defineKernel, type Kernel } from "../../program/kernel.ts";
import { keysOfWorkgroup } from "./reach.wgsl.ts";
import { chunksOf, QUAD_SUM, turningModule } from "./rows.wgsl.ts";
import { ATTENTION_PARAMS, bindingsOf, isKey, keepFactor, LOWEST, positionOfK, positionOfQ, randomModule, rotaryLabel, range, readsOf, rowOfK, rowOfQ, rowOfV, rowOfY, scoreOf, typeOf, type AttentionVariant } from "./variant.wgsl.ts";

/** Attention of one query a head, as when a text is written token by token: bound by reading the keys and values. */
export interface DecodeVariant extends Pick<AttentionVariant, "split" | "headDim" | "width" | "workgroupSize" | "joined" | "info" | "bias" | "softCap" | "dropout" | "rotary"> {
  /** True: workgroups share out the keys of a head, and another kernel joins their results. */
  readonly partial: boolean;
}

/** Rows of results that a workgroup joins: with 256 features, 16 KiB. */
const GROUPS = 16;
/** Fewer keys are not worth a workgroup of their own. */
const LEAST_KEYS = 256;
const WORKGROUPS = { software: 8, other: 256 } as const;
export const COMBINE_WORKGROUP_SIZE = 32;

/** @param parts heads of all batches */
export function decodeVariant({ kind, features, subgroupMinSize }: Pick<AdapterProfile, "kind" | "features" | "subgroupMinSize">, variant: AttentionVariant, parts: number, keys: number): { variant: DecodeVariant; splits: number } {
  const { headDim, width, joined, info, bias, softCap, dropout, rotary } = variant;
  const software = kind === "software";
  // Of a small head there is not a chunk for each of four lanes.
  const split = features.has("subgroups") && subgroupMinSize >= 4 && chunksOf(variant).count >= 4 ? 4 : 1;
  const splits = Math.max(1, Math.min(Math.ceil(keys / LEAST_KEYS), Math.ceil((software ? WORKGROUPS.software : WORKGROUPS.other) / Math.max(1, parts))));
  return { variant: { split, headDim, width, workgroupSize: software ? 8 : GROUPS * split, joined, info, bias, softCap, dropout, rotary, partial: splits > 1 }, splits };
}

/**
 * `split` lanes share a row: each loads its chunks of a key, and they add up; the workgroup's groups of lanes take turns at
 * the keys, each with an online softmax of its own. Its results are joined in workgroup memory, over workgroups by combineKernel.
 */
export function decodeKernel(variant: DecodeVariant): Kernel {
  const { split, headDim, width, workgroupSize, partial } = variant;
  const chunks = chunksOf(variant);
  const perLane = Math.ceil(chunks.count / split);
  const groups = workgroupSize / split;
  const c$ = range(perLane);
  const bound = bindingsOf(variant.joined);
  const q = { buffer: bound.q, rowOf: rowOfQ, positionOf: positionOfQ(variant) };
  const k = { buffer: bound.k, rowOf: rowOfK, positionOf: positionOfK(variant) };
  const chunkOf = (c: number) => (split === 1 ? `${c}u` : `(own + ${c * split}u)`);
  const all = perLane * split;
  const label = Object.entries({ info: variant.info, bias: variant.bias, softCap: variant.softCap, dropout: variant.dropout, partial }).filter(([, wanted]) => wanted).map(([name]) => `+${name}`);
  return defineKernel({
    label: `attention/decode/${split === 4 ? "quad" : "lane"}/${groups}x${headDim}v${width}${variant.joined === "none" ? "" : `/${variant.joined}`}${label.join("")}${rotaryLabel(variant)}/f32`,
    enable: split > 1 ? ["subgroups"] : [],
    reads: readsOf(variant),
    writes: partial ? { partial: "array<vec4f>" } : { y: typeOf(width), logSumExp: "array<f32>" },
    params: ATTENTION_PARAMS,
    module: `${split > 1 ? QUAD_SUM : ""}
${randomModule(variant)}${turningModule(variant, [q, k])}
var<workgroup> largestOf: array<f32, ${groups}>;
var<workgroup> totalOf: array<f32, ${groups}>;
var<workgroup> sumOf: array<vec4f, ${groups * chunks.count}>;`,
    workgroupSize: [workgroupSize],
    body: `
  let id = workgroup.y * numWorkgroups.x + workgroup.x;
  let tile = 0u;
  let share = id % p.tiles;
  let part = id / p.tiles;
  if (part >= p.parts) { return; }
  let own = localIndex % ${split}u;
  let group = localIndex / ${split}u;
${keysOfWorkgroup(variant, 1)}
  let i = 0u;
  let row = ${q.rowOf("i")};
  ${c$.map((c) => `let q${c} = ${q.positionOf ? `select(vec4f(0), turned_${q.buffer}(row, ${q.positionOf("i")}, ${chunkOf(c)}), ${chunkOf(c)} < ${chunks.count}u)` : chunks.loadExact(q.buffer, "row", chunkOf(c), all)}; var y${c} = vec4f(0);`).join("\n  ")}
  var largest = ${LOWEST};
  var total = 0.0;
  let each = (max(end - begin, 0) + i32(p.tiles) - 1) / i32(p.tiles);
  let last = min(end, begin + (i32(share) + 1) * each);
  for (var x = begin + i32(share) * each; x < last; x += ${groups}) {
    let j = u32(x) + group;
    let safe = min(j, p.keys - 1u);
    let keyAt = ${k.rowOf("safe")};
    let valueAt = ${rowOfV("safe")};
    ${c$.map((c) => `let k${c} = ${k.positionOf ? `turned_${k.buffer}(keyAt, ${k.positionOf("safe")}, ${chunkOf(c)})` : chunks.load(k.buffer, "keyAt", chunkOf(c), all)}; let v${c} = ${chunks.load(bound.v, "valueAt", chunkOf(c), all)};`).join("\n    ")}
    let product = ${c$.map((c) => `dot(q${c}, k${c})`).join(" + ")};
    let live = i32(j) < last && ${isKey(variant, "safe")};
    ${scoreOf(variant, "", split > 1 ? "sumOfLanes(product)" : "product", "i", "safe")}
    let next = max(largest, select(${LOWEST}, score, live));
    let fade = exp(max(largest - next, -80.0));
    let e = select(0.0, exp(clamp(score - next, -80.0, 0.0)), live);
    largest = next;
    total = total * fade + e;
    let weight = e${variant.dropout ? ` * ${keepFactor("i", "j")}` : ""};
    ${c$.map((c) => `y${c} = y${c} * fade + weight * v${c};`).join("\n    ")}
  }
  if (own == 0u) {
    largestOf[group] = largest;
    totalOf[group] = total;
  }
  ${c$.map((c) => `${all > chunks.count ? `if (${chunkOf(c)} < ${chunks.count}u) ` : ""}{ sumOf[group * ${chunks.count}u + ${chunkOf(c)}] = y${c}; }`).join("\n  ")}
  workgroupBarrier();
  var most = ${LOWEST};
  for (var g = 0u; g < ${groups}u; g++) { most = max(most, largestOf[g]); }
  var sum = 0.0;
  for (var g = 0u; g < ${groups}u; g++) { sum += totalOf[g] * exp(max(largestOf[g] - most, -80.0)); }
  for (var chunk = localIndex; chunk < ${chunks.count}u; chunk += ${workgroupSize}u) {
    var result = vec4f(0);
    for (var g = 0u; g < ${groups}u; g++) { result += sumOf[g * ${chunks.count}u + chunk] * exp(max(largestOf[g] - most, -80.0)); }
    ${partial ? `partial[(part * p.tiles + share) * ${chunks.count + 1}u + chunk] = result;` : `${NORMALIZED}
    let at = ${rowOfY("i", headDim)};
    ${chunks.store("y", "at", "chunk", "normalized", chunks.count)}`}
  }
  ${partial ? `if (localIndex == 0u) { partial[(part * p.tiles + share) * ${chunks.count + 1}u + ${chunks.count}u] = vec4f(most, sum, 0.0, 0.0); }` : `if (localIndex == 0u) { ${LOG_SUM_EXP} }`}`,
  });
}

/** No key to attend to: zeros, not 0/0. */
const NORMALIZED = "let normalized = result * select(0.0, 1.0 / max(sum, 1e-30), sum > 0.0);";
const LOG_SUM_EXP = "logSumExp[part] = select(0.0, most + log(max(sum, 1e-30)), sum > 0.0);";

/** Joins the results of a head's workgroups: a lane a chunk. */
export function combineKernel({ headDim, width }: Pick<DecodeVariant, "headDim" | "width">): Kernel {
  const chunks = chunksOf({ headDim, width });
  return defineKernel({
    label: `attention/combine/${headDim}v${width}/f32`,
    reads: { partial: "array<vec4f>" },
    writes: { y: typeOf(width), logSumExp: "array<f32>" },
    params: { splits: "u32" },
    workgroupSize: [COMBINE_WORKGROUP_SIZE],
    linear: true,
    body: `
  let part = index / ${chunks.count}u;
  let chunk = index % ${chunks.count}u;
  let first = part * p.splits;
  var most = ${LOWEST};
  for (var n = 0u; n < p.splits; n++) { most = max(most, partial[(first + n) * ${chunks.count + 1}u + ${chunks.count}u].x); }
  var sum = 0.0;
  var result = vec4f(0);
  for (var n = 0u; n < p.splits; n++) {
    let at = (first + n) * ${chunks.count + 1}u;
    let statistics = partial[at + ${chunks.count}u];
    let factor = exp(max(statistics.x - most, -80.0));
    sum += statistics.y * factor;
    result += partial[at + chunk] * factor;
  }
  ${NORMALIZED}
  let row = part * ${headDim}u;
  ${chunks.store("y", "row", "chunk", "normalized", chunks.count)}
  if (chunk == 0u) { ${LOG_SUM_EXP} }`,
  });
}
