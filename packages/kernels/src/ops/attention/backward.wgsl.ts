import { defineKernel, type Kernel } from "../../program/kernel.ts";
import { RANDOM_BITS_WGSL } from "../dropout/random.ts";
import { ATTENTION_PARAMS, bindingsOf, isKey, keepFactor, labelOf, laneFunctions, queriesOfWorkgroup, range, reachOfQuery, readsOf, rowOfK, rowOfQ, rowOfY, scoreOf, spelling, TILE_OF_WORKGROUP, typeOf, type AttentionVariant } from "./variant.wgsl.ts";

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
  for (var d = 0u; d < p.headDim; d++) { delta = fma(dy[row + d], y[row + d], delta); }
  stats[index] = vec2f(logSumExp[index], delta);`,
});

/**
 * dq: each group of lanes keeps `rows` queries and goes over the keys, recomputing the probabilities. `stats` are written
 * on the way for the gradient of keys, from y and the log-sum-exp; or were written before, where one kernel cannot bind all.
 */
export function gradientOfQueriesKernel(variant: AttentionVariant, writesStats: boolean): Kernel {
  const { lanes, slices, rows, width } = variant;
  const text = spelling(variant);
  const [t$, s$, u$] = [range(rows), range(slices), range(lanes)];
  const [bound, written] = [bindingsOf(variant.joined), bindingsOf(variant.joined, "d")];
  const dots = (own: string, other: string, t: number) => text.sumForOwn(u$.map((u) => s$.map((s) => `dot(${own}${t}_${s}, ${other}${u}_${s})`).join(" + ")));
  const statOf = (t: number) => {
    const place = `part * p.queries + i${t}`;
    if (!writesStats) return `let stat${t} = stats[${place}];`;
    const product = s$.map((s) => `dot(g${t}_${s}, ${text.load("y", `y${t}`, s)})`).join(" + ");
    return `let stat${t} = vec2f(logSumExp[${place}], ${text.sumOfLanes(product)});
  if (own == 0u && first + ${t}u < p.queries) { stats[${place}] = stat${t}; }`;
  };
  return defineKernel({
    label: `attention/gradient-of-queries${writesStats ? "+stats" : ""}/${labelOf(variant)}/f32`,
    enable: lanes === 4 ? ["subgroups"] : [],
    reads: { ...(writesStats ? { y: typeOf(width), logSumExp: "array<f32>" } : { stats: "array<vec2f>" }), dy: typeOf(width), ...readsOf(variant) },
    writes: { [written.q]: typeOf(width), ...(writesStats && { stats: "array<vec2f>" }) },
    params: ATTENTION_PARAMS,
    module: `${laneFunctions(variant)}\n${variant.dropout ? RANDOM_BITS_WGSL : ""}`,
    workgroupSize: [variant.workgroupSize],
    body: `${queriesOfWorkgroup(variant, text.setup)}
  ${t$.map((t) => `let i${t} = min(first + ${t}u, p.queries - 1u); let q${t} = ${rowOfQ(`i${t}`)}; let y${t} = ${rowOfY(`i${t}`)}; ${reachOfQuery(t)}`).join("\n  ")}
  ${t$.map((t) => s$.map((s) => `let q${t}_${s} = ${text.loadOwn(bound.q, `q${t}`, s)}; let g${t}_${s} = ${text.loadOwn("dy", `y${t}`, s)}; var dq${t}_${s} = vec4f(0);`).join(" ")).join("\n  ")}
  ${t$.map(statOf).join("\n  ")}
  for (var j0 = begin; j0 < end; j0 += ${lanes}) {
    let j = u32(j0) + own;
    let jInside = min(j, p.keys - 1u);
    let attended = j < p.keys && ${isKey(variant, "jInside")};
    ${u$.map((u) => `let at${u} = ${rowOfK(`min(u32(j0) + ${u}u, p.keys - 1u)`)};`).join("\n    ")}
    ${u$.map((u) => s$.map((s) => `let k${u}_${s} = ${text.load(bound.k, `at${u}`, s)}; let v${u}_${s} = ${text.load(bound.v, `(at${u} + p.toV)`, s)};`).join(" ")).join("\n    ")}
    ${t$
      .map(
        (t) => `let live${t} = attended && u32(i32(j) - low${t}) < reach${t};
    ${scoreOf(variant, t, dots("q", "k", t), `i${t}`, "jInside")}
    let probability${t} = select(0.0, exp(clamp(score${t} - stat${t}.x, -80.0, 80.0)), live${t});
    let dp${t} = ${dots("g", "v", t)}${variant.dropout ? ` * ${keepFactor(`i${t}`, "j")}` : ""};
    let ds${t} = probability${t} * (dp${t} - stat${t}.y) * p.scale${variant.softCap ? ` * slope${t}` : ""};`,
      )
      .join("\n    ")}
    ${u$.map((u) => t$.map((t) => `{ let w = vec4f(${text.of(u, `ds${t}`)}); ${s$.map((s) => `dq${t}_${s} = fma(w, k${u}_${s}, dq${t}_${s});`).join(" ")} }`).join("\n    ")).join("\n    ")}
  }
  ${t$.map((t) => `if (first + ${t}u < p.queries) { ${s$.map((s) => text.store(written.q, `q${t}`, s, `dq${t}_${s}`)).join(" ")} }`).join("\n  ")}`,
  });
}

/** dk and dv, or one of them: each group of lanes keeps `rows` keys and goes over the queries of every head that they serve. */
export function gradientOfKeysKernel(variant: AttentionVariant, wanted: readonly ("dk" | "dv")[]): Kernel {
  const { lanes, slices, rows, width } = variant;
  const text = spelling(variant);
  const [t$, s$, u$] = [range(rows), range(slices), range(lanes)];
  const dots = (own: string, other: string, t: number) => text.sumForOwn(u$.map((u) => s$.map((s) => `dot(${own}${t}_${s}, ${other}${u}_${s})`).join(" + ")));
  const [bound, written] = [bindingsOf(variant.joined), bindingsOf(variant.joined, "d")];
  const target = { dk: written.k, dv: written.v };
  const accumulate = { dk: ["ds", "q"], dv: ["weight", "g"] } as const;
  const tileRows = (variant.workgroupSize / lanes) * rows;
  return defineKernel({
    label: `attention/gradient-of-keys/${wanted.join("+")}/${labelOf(variant)}/f32`,
    enable: lanes === 4 ? ["subgroups"] : [],
    reads: { stats: "array<vec2f>", dy: typeOf(width), ...readsOf(variant) },
    writes: Object.fromEntries(wanted.map((name) => [target[name], typeOf(width)])),
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
  let tileBegin = i32(tile * ${tileRows}u);
  ${variant.info ? `let padding = u32(tileBegin) >= info[flags + 1u] || u32(tileBegin) + ${tileRows}u <= info[flags];` : "let padding = false;"}
  let iBegin = max(0, tileBegin - shift - p.after);
  let iEnd = select(min(i32(p.queries), tileBegin + ${tileRows} - shift + p.before), 0, padding);
  ${t$.map((t) => `let j${t} = min(first + ${t}u, p.keys - 1u); let at${t} = ${rowOfK(`j${t}`)}; let attended${t} = ${isKey(variant, `j${t}`)};`).join("\n  ")}
  ${t$.map((t) => `let low${t} = max(0, i32(j${t}) - shift - p.after); let reach${t} = u32(max(0, min(i32(p.queries) - 1, i32(j${t}) - shift + p.before) - low${t} + 1));`).join("\n  ")}
  ${t$.map((t) => s$.map((s) => `let k${t}_${s} = ${text.loadOwn(bound.k, `at${t}`, s)}; let v${t}_${s} = ${text.loadOwn(bound.v, `(at${t} + p.toV)`, s)};`).join(" ")).join("\n  ")}
  ${wanted.map((name) => t$.map((t) => s$.map((s) => `var ${name}${t}_${s} = vec4f(0);`).join(" ")).join("\n  ")).join("\n  ")}
  for (var h = keyHead * serves; h < (keyHead + 1u) * serves; h++) {
    for (var i0 = iBegin; i0 < iEnd; i0 += ${lanes}) {
      let i = u32(i0) + own;
      let iInside = min(i, p.queries - 1u);
      let stat = stats[(b * p.heads + h) * p.queries + iInside];
      ${u$.map((u) => `let i${u} = min(u32(i0) + ${u}u, p.queries - 1u); let row${u} = ${rowOfQ(`i${u}`)}; let rowOfY${u} = ${rowOfY(`i${u}`)};`).join("\n      ")}
      ${u$.map((u) => s$.map((s) => `let q${u}_${s} = ${text.load(bound.q, `row${u}`, s)}; let g${u}_${s} = ${text.load("dy", `rowOfY${u}`, s)};`).join(" ")).join("\n      ")}
      ${t$
        .map((t) => {
          const keep = variant.dropout ? keepFactor("i", `j${t}`) : "1.0";
          return `let live${t} = attended${t} && u32(i32(i) - low${t}) < reach${t};
      ${scoreOf(variant, t, dots("k", "q", t), "iInside", `j${t}`)}
      let probability${t} = select(0.0, exp(clamp(score${t} - stat.x, -80.0, 80.0)), live${t});
      let keep${t} = ${keep};
      let weight${t} = probability${t} * keep${t};
      let ds${t} = probability${t} * (${dots("v", "g", t)} * keep${t} - stat.y) * p.scale${variant.softCap ? ` * slope${t}` : ""};`;
        })
        .join("\n      ")}
      ${wanted
        .flatMap((name) => u$.flatMap((u) => t$.map((t) => `{ let w = vec4f(${text.of(u, `${accumulate[name][0]}${t}`)}); ${s$.map((s) => `${name}${t}_${s} = fma(w, ${accumulate[name][1]}${u}_${s}, ${name}${t}_${s});`).join(" ")} }`)))
        .join("\n      ")}
    }
  }
  ${t$.map((t) => `if (first + ${t}u < p.keys) { ${wanted.map((name) => s$.map((s) => text.store(target[name], name === "dk" ? `at${t}` : `(at${t} + p.toV)`, s, `${name}${t}_${s}`)).join(" ")).join(" ")} }`).join("\n  ")}`,
  });
}

/** dbias: a lane per element of the bias sums over the batches and heads that it serves. */
export function gradientOfBiasKernel(options: Pick<AttentionVariant, "joined" | "info" | "softCap" | "dropout">): Kernel {
  const variant = { ...options, width: 1, bias: true } as const;
  const bound = bindingsOf(variant.joined);
  const { dropout } = variant;
  return defineKernel({
    label: `attention/gradient-of-bias${Object.entries(options).map(([name, value]) => `/${name}-${value}`).join("")}/f32`,
    reads: { stats: "array<vec2f>", dy: "array<f32>", ...readsOf(variant) },
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
  let distance = i32(j) - (i32(i) + i32(p.keys) - i32(p.queries));
  let unseen = distance > p.after || distance < -p.before;
  var total = 0.0;
  for (var b = bFirst; b < bEnd; b++) {
    let flags = 1u + b * (p.keys + 2u);
    if (unseen || !(${isKey(variant, "j")})) { continue; }
    for (var h = hFirst; h < hEnd; h++) {
      let keyHead = h / (p.heads / p.keyHeads);
      let row = ${rowOfQ("i")};
      let rowOfY = ${rowOfY("i")};
      let at = ${rowOfK("j")};
      let stat = stats[(b * p.heads + h) * p.queries + i];
      var product = 0.0;
      var dp = 0.0;
      for (var d = 0u; d < p.headDim; d++) {
        product = fma(${bound.q}[row + d], ${bound.k}[at + d], product);
        dp = fma(dy[rowOfY + d], ${bound.v}[at + p.toV + d], dp);
      }
      ${scoreOf(variant, "", "product", "i", "j")}
      let probability = exp(clamp(score - stat.x, -80.0, 80.0));
      total += probability * (dp${dropout ? ` * ${keepFactor("i", "j")}` : ""} - stat.y);
    }
  }
  dBias[index] = total;`,
  });
}
