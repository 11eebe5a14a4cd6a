import { defineKernel, type Kernel } from "../../program/kernel.ts";
import { RANDOM_BITS_WGSL } from "../dropout/random.ts";
import { ATTENTION_PARAMS, biasOf, keepFactor, labelOf, laneFunctions, LOWEST, placeOf, queriesOfWorkgroup, range, spelling, type AttentionVariant } from "./variant.wgsl.ts";

const typeOf = (width: 1 | 4) => (width === 4 ? "array<vec4f>" : "array<f32>");

/** y and the log-sum-exp by the online softmax: each group of lanes keeps `rows` queries and goes over the keys once. */
export function forwardKernel(variant: AttentionVariant): Kernel {
  const { lanes, slices, rows, width } = variant;
  const text = spelling(variant);
  const [t$, s$, u$] = [range(rows), range(slices), range(lanes)];
  const score = (t: number) => {
    const dots = u$.map((u) => s$.map((s) => `dot(q${t}_${s}, k${u}_${s})`).join(" + "));
    return `${text.sumForOwn(dots)} * p.scale${variant.bias ? ` + ${biasOf(`i${t}`, "jInside")}` : ""}`;
  };
  return defineKernel({
    label: `attention/forward/${labelOf(variant)}/f32`,
    enable: lanes === 4 ? ["subgroups"] : [],
    reads: { q: typeOf(width), k: typeOf(width), v: typeOf(width), info: "array<u32>", ...(variant.bias && { bias: "array<f32>" }) },
    writes: { y: typeOf(width), logSumExp: "array<f32>" },
    params: ATTENTION_PARAMS,
    module: `${laneFunctions(variant)}\n${variant.dropout ? RANDOM_BITS_WGSL : ""}`,
    workgroupSize: [variant.workgroupSize],
    body: `${queriesOfWorkgroup(variant, text.setup)}
  ${t$.map((t) => `let i${t} = min(first + ${t}u, p.queries - 1u); let q${t} = ${placeOf.q(`i${t}`)};`).join("\n  ")}
  ${t$.map((t) => s$.map((s) => `let q${t}_${s} = ${text.loadOwn("q", `q${t}`, s)}; var y${t}_${s} = vec4f(0);`).join(" ")).join("\n  ")}
  ${t$.map((t) => `var largest${t} = ${LOWEST}; var total${t} = 0.0;`).join("\n  ")}
  for (var j0 = i32(begin); j0 < end; j0 += ${lanes}) {
    let j = u32(j0) + own;
    let jInside = min(j, p.keys - 1u);
    let attended = j < p.keys && info[flags + 2u + jInside] != 0u;
    ${u$.map((u) => `let j${u} = min(u32(j0) + ${u}u, p.keys - 1u); let k${u} = ${placeOf.k(`j${u}`)}; let v${u} = ${placeOf.v(`j${u}`)};`).join("\n    ")}
    ${u$.map((u) => s$.map((s) => `let k${u}_${s} = ${text.load("k", `k${u}`, s)};`).join(" ")).join("\n    ")}
    ${t$
      .map(
        (t) => `let live${t} = attended && (p.causal == 0u || i32(j) <= i32(i${t}) + shift);
    let score${t} = select(${LOWEST}, ${score(t)}, live${t});
    let next${t} = max(largest${t}, ${text.maxOfLanes(`score${t}`)});
    let fade${t} = exp(max(largest${t} - next${t}, -80.0));
    let e${t} = select(0.0, exp(clamp(score${t} - next${t}, -80.0, 0.0)), live${t});
    largest${t} = next${t};
    total${t} = total${t} * fade${t} + e${t};
    let weight${t} = e${t}${variant.dropout ? ` * ${keepFactor(`i${t}`, "j")}` : ""};
    ${s$.map((s) => `y${t}_${s} *= fade${t};`).join(" ")}`,
      )
      .join("\n    ")}
    ${u$
      .map(
        (u) => `{
      ${s$.map((s) => `let v_${s} = ${text.load("v", `v${u}`, s)};`).join(" ")}
      ${t$.map((t) => `{ let w = vec4f(${text.of(u, `weight${t}`)}); ${s$.map((s) => `y${t}_${s} = fma(w, v_${s}, y${t}_${s});`).join(" ")} }`).join("\n      ")}
    }`,
      )
      .join("\n    ")}
  }
  ${t$
    .map(
      (t) => `let sum${t} = ${text.sumOfLanes(`total${t}`)};
  if (first + ${t}u < p.queries) {
    // No key to attend to: zeros, not 0/0.
    let inverse = select(0.0, 1.0 / max(sum${t}, 1e-30), sum${t} > 0.0);
    ${s$.map((s) => text.store("y", placeOf.y(`i${t}`), s, `y${t}_${s} * inverse`)).join("\n    ")}
    if (own == 0u) { logSumExp[part * p.queries + i${t}] = select(0.0, largest${t} + log(max(sum${t}, 1e-30)), sum${t} > 0.0); }
  }`,
    )
    .join("\n  ")}`,
  });
}
