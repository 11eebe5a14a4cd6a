import { defineKernel, type Kernel } from "../../program/kernel.ts";
import { RANDOM_BITS_WGSL } from "../dropout/random.ts";
import { ATTENTION_PARAMS, bindingsOf, isKey, keepFactor, labelOf, laneFunctions, LOWEST, queriesOfWorkgroup, range, reachOfQuery, readsOf, rowOfK, rowOfQ, rowOfY, scoreOf, spelling, typeOf, type AttentionVariant } from "./variant.wgsl.ts";

/** y and the log-sum-exp by the online softmax: each group of lanes keeps `rows` queries and goes over the keys once. */
export function forwardKernel(variant: AttentionVariant): Kernel {
  const { lanes, slices, rows, width } = variant;
  const text = spelling(variant);
  const [t$, s$, u$] = [range(rows), range(slices), range(lanes)];
  const bound = bindingsOf(variant.joined);
  const product = (t: number) => text.sumForOwn(u$.map((u) => s$.map((s) => `dot(q${t}_${s}, k${u}_${s})`).join(" + ")));
  return defineKernel({
    label: `attention/forward/${labelOf(variant)}/f32`,
    enable: lanes === 4 ? ["subgroups"] : [],
    reads: readsOf(variant),
    writes: { y: typeOf(width), logSumExp: "array<f32>" },
    params: ATTENTION_PARAMS,
    module: `${laneFunctions(variant)}\n${variant.dropout ? RANDOM_BITS_WGSL : ""}`,
    workgroupSize: [variant.workgroupSize],
    body: `${queriesOfWorkgroup(variant, text.setup)}
  ${t$.map((t) => `let i${t} = min(first + ${t}u, p.queries - 1u); let q${t} = ${rowOfQ(`i${t}`)}; ${reachOfQuery(t)}`).join("\n  ")}
  ${t$.map((t) => s$.map((s) => `let q${t}_${s} = ${text.loadOwn(bound.q, `q${t}`, s)}; var y${t}_${s} = vec4f(0);`).join(" ")).join("\n  ")}
  ${t$.map((t) => `var largest${t} = ${LOWEST}; var total${t} = 0.0;`).join("\n  ")}
  for (var j0 = begin; j0 < end; j0 += ${lanes}) {
    let j = u32(j0) + own;
    let jInside = min(j, p.keys - 1u);
    let attended = j < p.keys && ${isKey(variant, "jInside")};
    ${u$.map((u) => `let at${u} = ${rowOfK(`min(u32(j0) + ${u}u, p.keys - 1u)`)};`).join("\n    ")}
    ${u$.map((u) => s$.map((s) => `let k${u}_${s} = ${text.load(bound.k, `at${u}`, s)};`).join(" ")).join("\n    ")}
    ${t$
      .map(
        (t) => `let live${t} = attended && u32(i32(j) - low${t}) < reach${t};
    ${scoreOf(variant, t, product(t), `i${t}`, "jInside")}
    let next${t} = max(largest${t}, ${text.maxOfLanes(`select(${LOWEST}, score${t}, live${t})`)});
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
      ${s$.map((s) => `let v${s} = ${text.load(bound.v, `(at${u} + p.toV)`, s)};`).join(" ")}
      ${t$.map((t) => `{ let w = vec4f(${text.of(u, `weight${t}`)}); ${s$.map((s) => `y${t}_${s} = fma(w, v${s}, y${t}_${s});`).join(" ")} }`).join("\n      ")}
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
    let y${t} = ${rowOfY(`i${t}`)};
    ${s$.map((s) => text.store("y", `y${t}`, s, `y${t}_${s} * inverse`)).join("\n    ")}
    if (own == 0u) { logSumExp[part * p.queries + i${t}] = select(0.0, largest${t} + log(max(sum${t}, 1e-30)), sum${t} > 0.0); }
  }`,
    )
    .join("\n  ")}`,
  });
}
