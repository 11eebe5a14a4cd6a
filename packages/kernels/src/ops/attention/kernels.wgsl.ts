import { defineKernel, type Kernel } from "../../program/kernel.ts";
import { RANDOM_BITS_WGSL } from "../dropout/random.ts";

export const WORKGROUP_SIZE = 32;

/** What the text of a kernel depends on; all sizes but the head's come through parameters. */
export interface KernelVariant {
  readonly headSize: number;
  readonly mask: boolean;
  readonly bias: boolean;
  readonly causal: boolean;
  readonly dropout: boolean;
  /** False in inference, where no gradient wants the log-sum-exp. */
  readonly keepsLogSumExp: boolean;
}

/** A head's row in registers: `headSize` floats as vec4s where that divides, as scalars otherwise. */
class Row {
  readonly width: 1 | 4;
  readonly type: "f32" | "vec4f";
  private readonly parts: number[];

  constructor(headSize: number) {
    this.width = headSize % 4 === 0 ? 4 : 1;
    this.type = this.width === 4 ? "vec4f" : "f32";
    this.parts = Array.from({ length: headSize / this.width }, (_, i) => i);
  }

  /** Elements of the buffer's type that one row takes. */
  get length(): number {
    return this.parts.length;
  }

  /** One statement for each part. */
  each(statement: (part: number) => string): string {
    return this.parts.map(statement).join("\n");
  }

  /** The inner product of two rows. */
  dot(a: (part: number) => string, b: (part: number) => string): string {
    const total = this.parts.slice(1).reduce((sum, i) => `fma(${a(i)}, ${b(i)}, ${sum})`, `${a(0)} * ${b(0)}`);
    return this.width === 4 ? `dot(${total}, vec4f(1))` : total;
  }
}

function params(variant: KernelVariant): Record<string, "u32" | "f32"> {
  return {
    queries: "u32",
    keys: "u32",
    heads: "u32",
    keyHeads: "u32",
    group: "u32",
    scale: "f32",
    ...(variant.bias && { biasBatchStride: "u32", biasHeadStride: "u32" }),
    ...(variant.dropout && { threshold: "u32", keepScale: "f32", stream: "u32" }),
  };
}

function optionalReads(variant: KernelVariant): Record<string, string> {
  return { ...(variant.mask && { mask: "array<f32>" }), ...(variant.bias && { bias: "array<f32>" }), ...(variant.dropout && { key: "array<u32>" }) };
}

function label(pass: string, variant: KernelVariant): string {
  const extras = (["mask", "bias", "causal", "dropout"] as const).filter((name) => variant[name]);
  return ["attention", pass, `d${variant.headSize}`, ...extras].join("/");
}

/** Scaled score of query row `q` and key row `k`, both part by part. */
function score(row: Row, variant: KernelVariant, q: (i: number) => string, k: (i: number) => string): string {
  const bias = variant.bias ? " + bias[b * p.biasBatchStride + h * p.biasHeadStride + i * p.keys + j]" : "";
  return `p.scale * (${row.dot(q, k)})${bias}`;
}

/** What dropout multiplies the weight of pair (b, h, i, j) by. */
const keep = (variant: KernelVariant): string =>
  variant.dropout ? "select(0.0, p.keepScale, randomBits(((b * p.heads + h) * p.queries + i) * p.keys + j, key[0], p.stream) >= p.threshold)" : "1.0";

const module = (variant: KernelVariant): { module?: string } => (variant.dropout ? { module: RANDOM_BITS_WGSL } : {});

/** Declares b, h, i, and `at`: where row (b, i, h) begins in q, y and their gradients. */
const queryIndices = (row: Row): string => `
  let i = index % p.queries;
  let h = (index / p.queries) % p.heads;
  let b = index / (p.queries * p.heads);
  let kh = h / p.group;
  let at = ((b * p.queries + i) * p.heads + h) * ${row.length}u;`;

/** Loops over the keys that query i may see. */
function forEachKey(row: Row, variant: KernelVariant, body: string): string {
  const end = variant.causal ? "u32(clamp(i32(i) + 1 + i32(p.keys) - i32(p.queries), 0, i32(p.keys)))" : "p.keys";
  return `
  let end = ${end};
  for (var j = 0u; j < end; j++) {
    ${variant.mask ? "if (mask[b * p.keys + j] == 0.0) { continue; }" : ""}
    let kAt = ((b * p.keys + j) * p.keyHeads + kh) * ${row.length}u;
${body}
  }`;
}

/** An invocation per query and head walks the keys, its sum of weighted values in registers. */
export function forwardKernel(variant: KernelVariant): Kernel {
  const row = new Row(variant.headSize);
  return defineKernel({
    label: label("forward", variant),
    reads: { q: `array<${row.type}>`, k: `array<${row.type}>`, v: `array<${row.type}>`, ...optionalReads(variant) },
    writes: { y: `array<${row.type}>`, ...(variant.keepsLogSumExp && { logSumExp: "array<f32>" }) },
    params: params(variant),
    ...module(variant),
    workgroupSize: [WORKGROUP_SIZE],
    linear: true,
    body: `${queryIndices(row)}
  ${row.each((d) => `let q${d} = q[at + ${d}u];\n  var o${d} = ${row.type}(0);`)}
  var top = -3.0e38;
  var total = 0.0;
  ${forEachKey(
    row,
    variant,
    `
    let s = ${score(row, variant, (d) => `q${d}`, (d) => `k[kAt + ${d}u]`)};
    let newTop = max(top, s);
    // Before the first key top is -3e38, and what it rescales is 0.
    let rescale = exp(max(top - newTop, -80.0));
    let weight = exp(max(s - newTop, -80.0));
    total = total * rescale + weight;
    let kept = weight * ${keep(variant)};
    ${row.each((d) => `o${d} = fma(${row.type}(kept), v[kAt + ${d}u], o${d} * rescale);`)}
    top = newTop;`,
  )}
  let inverse = select(0.0, 1.0 / total, total > 0.0);
  ${row.each((d) => `y[at + ${d}u] = o${d} * inverse;`)}
  ${variant.keepsLogSumExp ? "logSumExp[index] = select(0.0, top + log(total), total > 0.0);" : ""}`,
  });
}

/** dq, and delta = Σ dy·y: an invocation per query and head. */
export function backwardQueriesKernel(variant: KernelVariant): Kernel {
  const row = new Row(variant.headSize);
  return defineKernel({
    label: label("backwardQueries", variant),
    reads: { q: `array<${row.type}>`, k: `array<${row.type}>`, v: `array<${row.type}>`, ...optionalReads(variant), y: `array<${row.type}>`, logSumExp: "array<f32>", dy: `array<${row.type}>` },
    writes: { dq: `array<${row.type}>`, delta: "array<f32>" },
    params: params(variant),
    ...module(variant),
    workgroupSize: [WORKGROUP_SIZE],
    linear: true,
    body: `${queryIndices(row)}
  ${row.each((d) => `let q${d} = q[at + ${d}u];\n  let g${d} = dy[at + ${d}u];\n  var dq${d} = ${row.type}(0);`)}
  let queryDelta = ${row.dot((d) => `g${d}`, (d) => `y[at + ${d}u]`)};
  let queryLogSumExp = logSumExp[index];
  ${forEachKey(
    row,
    variant,
    `
    let s = ${score(row, variant, (d) => `q${d}`, (d) => `k[kAt + ${d}u]`)};
    let weight = exp(clamp(s - queryLogSumExp, -80.0, 0.0));
    let dWeight = (${row.dot((d) => `g${d}`, (d) => `v[kAt + ${d}u]`)}) * ${keep(variant)};
    let ds = p.scale * weight * (dWeight - queryDelta);
    ${row.each((d) => `dq${d} = fma(${row.type}(ds), k[kAt + ${d}u], dq${d});`)}`,
  )}
  ${row.each((d) => `dq[at + ${d}u] = dq${d};`)}
  delta[index] = queryDelta;`,
  });
}

/** dk and dv: an invocation per key and key head walks the queries of every head that shares it. */
export function backwardKeysKernel(variant: KernelVariant): Kernel {
  const row = new Row(variant.headSize);
  const begin = variant.causal ? "u32(clamp(i32(j) - i32(p.keys) + i32(p.queries), 0, i32(p.queries)))" : "0u";
  return defineKernel({
    label: label("backwardKeys", variant),
    reads: { q: `array<${row.type}>`, k: `array<${row.type}>`, v: `array<${row.type}>`, ...optionalReads(variant), logSumExp: "array<f32>", dy: `array<${row.type}>`, delta: "array<f32>" },
    writes: { dk: `array<${row.type}>`, dv: `array<${row.type}>` },
    params: params(variant),
    ...module(variant),
    workgroupSize: [WORKGROUP_SIZE],
    linear: true,
    body: `
  let j = index % p.keys;
  let kh = (index / p.keys) % p.keyHeads;
  let b = index / (p.keys * p.keyHeads);
  let kAt = ((b * p.keys + j) * p.keyHeads + kh) * ${row.length}u;
  ${row.each((d) => `let k${d} = k[kAt + ${d}u];\n  let v${d} = v[kAt + ${d}u];\n  var dk${d} = ${row.type}(0);\n  var dv${d} = ${row.type}(0);`)}
  let begin = ${begin};
  let hidden = ${variant.mask ? "mask[b * p.keys + j] == 0.0" : "false"};
  let lastHead = select((kh + 1u) * p.group, kh * p.group, hidden);
  for (var h = kh * p.group; h < lastHead; h++) {
    for (var i = begin; i < p.queries; i++) {
      let at = ((b * p.queries + i) * p.heads + h) * ${row.length}u;
      let query = (b * p.heads + h) * p.queries + i;
      let s = ${score(row, variant, (d) => `q[at + ${d}u]`, (d) => `k${d}`)};
      let weight = exp(clamp(s - logSumExp[query], -80.0, 0.0));
      let kept = ${keep(variant)};
      let dWeight = (${row.dot((d) => `dy[at + ${d}u]`, (d) => `v${d}`)}) * kept;
      let ds = p.scale * weight * (dWeight - delta[query]);
      let dvWeight = weight * kept;
      ${row.each((d) => `dk${d} = fma(${row.type}(ds), q[at + ${d}u], dk${d});\n      dv${d} = fma(${row.type}(dvWeight), dy[at + ${d}u], dv${d});`)}
    }
  }
  ${row.each((d) => `dk[kAt + ${d}u] = dk${d};\n  dv[kAt + ${d}u] = dv${d};`)}`,
  });
}

/** dbias: an invocation per element of the bias sums over the batches and heads that share it. */
export function backwardBiasKernel(variant: KernelVariant): Kernel {
  const row = new Row(variant.headSize);
  const causal = variant.causal ? "if (i32(j) > i32(i) + i32(p.keys) - i32(p.queries)) { dbias[index] = 0.0; return; }" : "";
  return defineKernel({
    label: label("backwardBias", variant),
    reads: { q: `array<${row.type}>`, k: `array<${row.type}>`, v: `array<${row.type}>`, ...optionalReads(variant), logSumExp: "array<f32>", dy: `array<${row.type}>`, delta: "array<f32>" },
    writes: { dbias: "array<f32>" },
    params: { ...params(variant), batch: "u32", biasBatch: "u32", biasHeads: "u32" },
    ...module(variant),
    workgroupSize: [WORKGROUP_SIZE],
    linear: true,
    body: `
  let j = index % p.keys;
  let i = (index / p.keys) % p.queries;
  let biasHead = (index / (p.keys * p.queries)) % p.biasHeads;
  let biasRow = index / (p.keys * p.queries * p.biasHeads);
  ${causal}
  var total = 0.0;
  for (var b = select(biasRow, 0u, p.biasBatch == 1u); b < select(biasRow + 1u, p.batch, p.biasBatch == 1u); b++) {
    ${variant.mask ? "if (mask[b * p.keys + j] == 0.0) { continue; }" : ""}
    for (var h = select(biasHead, 0u, p.biasHeads == 1u); h < select(biasHead + 1u, p.heads, p.biasHeads == 1u); h++) {
      let at = ((b * p.queries + i) * p.heads + h) * ${row.length}u;
      let kAt = ((b * p.keys + j) * p.keyHeads + h / p.group) * ${row.length}u;
      let query = (b * p.heads + h) * p.queries + i;
      let s = ${score(row, variant, (d) => `q[at + ${d}u]`, (d) => `k[kAt + ${d}u]`)};
      let weight = exp(clamp(s - logSumExp[query], -80.0, 0.0));
      let dWeight = (${row.dot((d) => `dy[at + ${d}u]`, (d) => `v[kAt + ${d}u]`)}) * ${keep(variant)};
      total += weight * (dWeight - delta[query]);
    }
  }
  dbias[index] = total;`,
  });
}
