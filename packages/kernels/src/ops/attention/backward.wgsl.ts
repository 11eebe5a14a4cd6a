import { defineKernel, type Kernel } from "../../program/kernel.ts";
import { RANDOM_BITS_WGSL } from "../dropout/random.ts";
import { ATTENTION_PARAMS, biasOf, keepFactor, labelOf, laneFunctions, placeOf, queriesOfWorkgroup, range, spelling, TILE_OF_WORKGROUP, type AttentionVariant } from "./variant.wgsl.ts";

const typeOf = (width: 1 | 4) => (width === 4 ? "array<vec4f>" : "array<f32>");
export const LINEAR_WORKGROUP_SIZE = 32;

const readsOf = ({ width, bias }: Pick<AttentionVariant, "width" | "bias">) => ({
  q: typeOf(width),
  k: typeOf(width),
  v: typeOf(width),
  info: "array<u32>",
  stats: "array<vec2f>",
  dy: typeOf(width),
  ...(bias && { bias: "array<f32>" }),
});

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
  for (var d = 0u; d < p.headDim; d++) { delta = fma(dy[row + d], y[row + d], delta); }
  stats[index] = vec2f(logSumExp[index], delta);`,
});

/** dq: each group of lanes keeps `rows` queries and goes over the keys, recomputing the probabilities. */
export function gradientOfQueriesKernel(variant: AttentionVariant): Kernel {
  const { lanes, slices, rows, width } = variant;
  const text = spelling(variant);
  const [t$, s$, u$] = [range(rows), range(slices), range(lanes)];
  const dots = (own: string, other: string, t: number) => text.sumForOwn(u$.map((u) => s$.map((s) => `dot(${own}${t}_${s}, ${other}${u}_${s})`).join(" + ")));
  return defineKernel({
    label: `attention/gradient-of-queries/${labelOf(variant)}/f32`,
    enable: lanes === 4 ? ["subgroups"] : [],
    reads: readsOf(variant),
    writes: { dq: typeOf(width) },
    params: ATTENTION_PARAMS,
    module: `${laneFunctions(variant)}\n${variant.dropout ? RANDOM_BITS_WGSL : ""}`,
    workgroupSize: [variant.workgroupSize],
    body: `${queriesOfWorkgroup(variant, text.setup)}
  ${t$.map((t) => `let i${t} = min(first + ${t}u, p.queries - 1u); let q${t} = ${placeOf.q(`i${t}`)}; let g${t} = ${placeOf.y(`i${t}`)}; let stat${t} = stats[part * p.queries + i${t}];`).join("\n  ")}
  ${t$.map((t) => s$.map((s) => `let q${t}_${s} = ${text.loadOwn("q", `q${t}`, s)}; let g${t}_${s} = ${text.loadOwn("dy", `g${t}`, s)}; var dq${t}_${s} = vec4f(0);`).join(" ")).join("\n  ")}
  for (var j0 = i32(begin); j0 < end; j0 += ${lanes}) {
    let j = u32(j0) + own;
    let jInside = min(j, p.keys - 1u);
    let attended = j < p.keys && info[flags + 2u + jInside] != 0u;
    ${u$.map((u) => `let j${u} = min(u32(j0) + ${u}u, p.keys - 1u); let k${u} = ${placeOf.k(`j${u}`)}; let v${u} = ${placeOf.v(`j${u}`)};`).join("\n    ")}
    ${u$.map((u) => s$.map((s) => `let k${u}_${s} = ${text.load("k", `k${u}`, s)}; let v${u}_${s} = ${text.load("v", `v${u}`, s)};`).join(" ")).join("\n    ")}
    ${t$
      .map(
        (t) => `let live${t} = attended && (p.causal == 0u || i32(j) <= i32(i${t}) + shift);
    let score${t} = ${dots("q", "k", t)} * p.scale${variant.bias ? ` + ${biasOf(`i${t}`, "jInside")}` : ""};
    let probability${t} = select(0.0, exp(clamp(score${t} - stat${t}.x, -80.0, 80.0)), live${t});
    let dp${t} = ${dots("g", "v", t)}${variant.dropout ? ` * ${keepFactor(`i${t}`, "j")}` : ""};
    let ds${t} = probability${t} * (dp${t} - stat${t}.y) * p.scale;`,
      )
      .join("\n    ")}
    ${u$.map((u) => t$.map((t) => `{ let w = vec4f(${text.of(u, `ds${t}`)}); ${s$.map((s) => `dq${t}_${s} = fma(w, k${u}_${s}, dq${t}_${s});`).join(" ")} }`).join("\n    ")).join("\n    ")}
  }
  ${t$.map((t) => `if (first + ${t}u < p.queries) { ${s$.map((s) => text.store("dq", `q${t}`, s, `dq${t}_${s}`)).join(" ")} }`).join("\n  ")}`,
  });
}

/**
 * dk and dv, or one of them: each group of lanes keeps `rows` keys and goes over the queries of every head that they serve.
 *
 * @param joined both are parts of one tensor, which is then bound once
 */
export function gradientOfKeysKernel(variant: AttentionVariant, wanted: readonly ("dk" | "dv")[], joined: boolean): Kernel {
  const { lanes, slices, rows, width } = variant;
  const text = spelling(variant);
  const [t$, s$, u$] = [range(rows), range(slices), range(lanes)];
  const dots = (own: string, other: string, t: number) => text.sumForOwn(u$.map((u) => s$.map((s) => `dot(${own}${t}_${s}, ${other}${u}_${s})`).join(" + ")));
  const accumulate = { dk: ["ds", "q"], dv: ["weight", "g"] } as const;
  return defineKernel({
    label: `attention/gradient-of-keys/${wanted.join("+")}${joined ? "-joined" : ""}/${labelOf(variant)}/f32`,
    enable: lanes === 4 ? ["subgroups"] : [],
    reads: readsOf(variant),
    writes: Object.fromEntries((joined ? ["dx"] : wanted).map((name) => [name, typeOf(width)])),
    params: ATTENTION_PARAMS,
    module: `${laneFunctions(variant)}\n${variant.dropout ? RANDOM_BITS_WGSL : ""}`,
    workgroupSize: [variant.workgroupSize],
    body: `${TILE_OF_WORKGROUP}
  let b = part / p.keyHeads;
  let keyHead = part % p.keyHeads;
  let serves = p.heads / p.keyHeads;
${text.setup}
  let shift = i32(p.keys) - i32(p.queries);
  let flags = 1u + b * (p.keys + 2u);
  let tileBegin = tile * ${(variant.workgroupSize / lanes) * rows}u;
  let padding = tileBegin >= info[flags + 1u] || tileBegin + ${(variant.workgroupSize / lanes) * rows}u <= info[flags];
  let iEnd = select(i32(p.queries), 0, padding);
  let iBegin = select(0, max(i32(tileBegin) - shift, 0), p.causal != 0u);
  ${t$.map((t) => `let j${t} = min(first + ${t}u, p.keys - 1u); let k${t} = ${placeOf.k(`j${t}`)}; let v${t} = ${placeOf.v(`j${t}`)}; let attended${t} = info[flags + 2u + j${t}] != 0u;`).join("\n  ")}
  ${t$.map((t) => s$.map((s) => `let k${t}_${s} = ${text.loadOwn("k", `k${t}`, s)}; let v${t}_${s} = ${text.loadOwn("v", `v${t}`, s)};`).join(" ")).join("\n  ")}
  ${wanted.map((name) => t$.map((t) => s$.map((s) => `var ${name}${t}_${s} = vec4f(0);`).join(" ")).join("\n  ")).join("\n  ")}
  for (var h = keyHead * serves; h < (keyHead + 1u) * serves; h++) {
    for (var i0 = iBegin; i0 < iEnd; i0 += ${lanes}) {
      let i = u32(i0) + own;
      let iInside = min(i, p.queries - 1u);
      let stat = stats[(b * p.heads + h) * p.queries + iInside];
      ${u$.map((u) => `let i${u} = min(u32(i0) + ${u}u, p.queries - 1u); let q${u} = ${placeOf.q(`i${u}`)}; let g${u} = ${placeOf.y(`i${u}`)};`).join("\n      ")}
      ${u$.map((u) => s$.map((s) => `let q${u}_${s} = ${text.load("q", `q${u}`, s)}; let g${u}_${s} = ${text.load("dy", `g${u}`, s)};`).join(" ")).join("\n      ")}
      ${t$
        .map((t) => {
          const keep = variant.dropout ? keepFactor("i", `j${t}`) : "1.0";
          return `let live${t} = attended${t} && i < p.queries && (p.causal == 0u || i32(j${t}) <= i32(i) + shift);
      let score${t} = ${dots("k", "q", t)} * p.scale${variant.bias ? ` + ${biasOf("iInside", `j${t}`)}` : ""};
      let probability${t} = select(0.0, exp(clamp(score${t} - stat.x, -80.0, 80.0)), live${t});
      let keep${t} = ${keep};
      let weight${t} = probability${t} * keep${t};
      let ds${t} = probability${t} * (${dots("v", "g", t)} * keep${t} - stat.y) * p.scale;`;
        })
        .join("\n      ")}
      ${wanted
        .flatMap((name) => u$.flatMap((u) => t$.map((t) => `{ let w = vec4f(${text.of(u, `${accumulate[name][0]}${t}`)}); ${s$.map((s) => `${name}${t}_${s} = fma(w, ${accumulate[name][1]}${u}_${s}, ${name}${t}_${s});`).join(" ")} }`)))
        .join("\n      ")}
    }
  }
  ${t$.map((t) => `if (first + ${t}u < p.keys) { ${wanted.map((name) => s$.map((s) => text.store(joined ? "dx" : name, `${name[1]}${t}`, s, `${name}${t}_${s}`)).join(" ")).join(" ")} }`).join("\n  ")}`,
  });
}

/** dbias: a lane per element of the bias sums over the batches and heads that it serves. */
export function gradientOfBiasKernel(dropout: boolean): Kernel {
  return defineKernel({
    label: `attention/gradient-of-bias${dropout ? "+dropout" : ""}/f32`,
    reads: readsOf({ width: 1, bias: true }),
    writes: { dBias: "array<f32>" },
    params: { ...ATTENTION_PARAMS, batch: "u32" },
    module: dropout ? RANDOM_BITS_WGSL : "",
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
  let above = p.causal != 0u && i32(j) > i32(i) + i32(p.keys) - i32(p.queries);
  var total = 0.0;
  for (var b = bFirst; b < bEnd; b++) {
    if (above || info[1u + b * (p.keys + 2u) + 2u + j] == 0u) { continue; }
    for (var h = hFirst; h < hEnd; h++) {
      let keyHead = h / (p.heads / p.keyHeads);
      let stat = stats[(b * p.heads + h) * p.queries + i];
      var score = 0.0;
      var dp = 0.0;
      for (var d = 0u; d < p.headDim; d++) {
        score = fma(q[${placeOf.q("i")} + d], k[${placeOf.k("j")} + d], score);
        dp = fma(dy[${placeOf.y("i")} + d], v[${placeOf.v("j")} + d], dp);
      }
      let probability = exp(clamp(score * p.scale + ${biasOf("i", "j")} - stat.x, -80.0, 80.0));
      total += probability * (dp${dropout ? ` * ${keepFactor("i", "j")}` : ""} - stat.y);
    }
  }
  dBias[index] = total;`,
  });
}
