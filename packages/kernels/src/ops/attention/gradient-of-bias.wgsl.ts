import { defineKernel, type Kernel } from "../../program/kernel.ts";
import { ATTENTION_PARAMS, bindingsOf, isKey, keepFactor, keysOfBatch, randomModule, readsOf, rowOfK, rowOfQ, rowOfV, rowOfY, scoreOf, type AttentionVariant } from "./variant.wgsl.ts";

export const LINEAR_WORKGROUP_SIZE = 32;

/** stats = (log-sum-exp, δ) of each row, δ = Σ dy·y: what every probability's gradient is lowered by. */
export const statsKernel = defineKernel({
  label: "attention/stats/f32",
  reads: { y: "array<f32>", dy: "array<f32>", logSumExp: "array<f32>" },
  writes: { stats: "array<vec2f>" },
  params: { heads: "u32", queries: "u32", headDim: "u32" },
  workgroupSize: [LINEAR_WORKGROUP_SIZE],
  linear: true,
  body: `
  let i = index % p.queries;
  let h = (index / p.queries) % p.heads;
  let b = index / (p.queries * p.heads);
  let row = ((b * p.queries + i) * p.heads + h) * p.headDim;
  var delta = 0.0;
  for (var d = 0u; d < p.headDim; d++) { delta += dy[row + d] * y[row + d]; }
  stats[index] = vec2f(logSumExp[index], delta);`,
});

/** dbias: a lane per element of the bias sums over the batches and heads that it serves. */
export function gradientOfBiasKernel(options: Pick<AttentionVariant, "headDim" | "joined" | "info" | "softCap" | "dropout">): Kernel {
  const variant = { ...options, width: 1, bias: true, rotary: null } as const;
  const bound = bindingsOf(variant.joined);
  const { headDim, dropout } = variant;
  return defineKernel({
    label: `attention/gradient-of-bias${Object.entries(options).map(([name, value]) => `/${name}-${value}`).join("")}/f32`,
    reads: { stats: "array<vec2f>", dy: "array<f32>", ...readsOf(variant) },
    writes: { dBias: "array<f32>" },
    params: { ...ATTENTION_PARAMS, batch: "u32" },
    module: randomModule(variant),
    workgroupSize: [LINEAR_WORKGROUP_SIZE],
    linear: true,
    body: `
  let j = index % p.keys;
  let i = (index / p.keys) % p.queries;
  let place = index / (p.keys * p.queries);
  let headsOfBias = select(1u, p.heads, p.biasHead != 0u);
  let bFirst = select(0u, place / headsOfBias, p.biasBatch != 0u);
  let bEnd = select(p.batch, bFirst + 1u, p.biasBatch != 0u);
  let hFirst = select(0u, place % headsOfBias, p.biasHead != 0u);
  let hEnd = select(p.heads, hFirst + 1u, p.biasHead != 0u);
  var total = 0.0;
  for (var b = bFirst; b < bEnd; b++) {
    ${keysOfBatch(variant)}
    let distance = i32(j) - (i32(i) + shift);
    if (distance > p.after || distance < -p.before || !(${isKey(variant, "j")})) { continue; }
    for (var h = hFirst; h < hEnd; h++) {
      let keyHead = h / (p.heads / p.keyHeads);
      let row = ${rowOfQ("i")};
      let rowOfY = ${rowOfY("i", headDim)};
      let at = ${rowOfK("j")};
      let valueAt = ${rowOfV("j")};
      let stat = stats[(b * p.heads + h) * p.queries + i];
      var product = 0.0;
      var dp = 0.0;
      for (var d = 0u; d < ${headDim}u; d++) {
        product += ${bound.q}[row + d] * ${bound.k}[at + d];
        dp += dy[rowOfY + d] * ${bound.v}[valueAt + d];
      }
      ${scoreOf(variant, "", "product", "i", "j")}
      let probability = exp(clamp(score - stat.x, -80.0, 80.0));
      total += probability * (dp${dropout ? ` * ${keepFactor("i", "j")}` : ""} - stat.y);
    }
  }
  dBias[index] = total;`,
  });
}
