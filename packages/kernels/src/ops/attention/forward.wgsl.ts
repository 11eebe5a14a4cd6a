import { defineKernel, type Kernel } from "../../program/kernel.ts";
import { rowsText, turningModule } from "./rows.wgsl.ts";
import { ATTENTION_PARAMS, bindingsOf, keepFactor, labelOf, LOWEST, positionOfK, positionOfQ, randomModule, readsOf, rowOfK, rowOfQ, rowOfV, rowOfY, scoreOf, type AttentionVariant } from "./variant.wgsl.ts";
import { keysOfTile, keysOfWorkgroup, reachOfQuery } from "./reach.wgsl.ts";

/** y and the log-sum-exp by the online softmax: a lane keeps a few queries and goes over the keys once. */
export function forwardKernel(variant: AttentionVariant): Kernel {
  const text = rowsText(variant);
  const { r$, u$, c$ } = text;
  const bound = bindingsOf(variant.joined);
  const q = { name: "q", buffer: bound.q, rowOf: rowOfQ, positionOf: positionOfQ(variant) };
  const k = { buffer: bound.k, rowOf: rowOfK, positionOf: positionOfK(variant) };
  const y = { name: "y", buffer: "y", rowOf: (i: string) => rowOfY(i, variant.headDim) };
  return defineKernel({
    label: `attention/forward/${labelOf(variant)}`,
    enable: text.enable,
    reads: readsOf(variant),
    writes: { y: text.type, logSumExp: "array<f32>" },
    params: ATTENTION_PARAMS,
    module: `${text.module}\n${randomModule(variant)}${turningModule(variant, [q, k])}`,
    workgroupSize: [variant.workgroupSize],
    body: `${text.setup}
${keysOfWorkgroup(variant, text.tileRows)}
  ${text.loadHeld([q], "p.queries")}
  ${r$.map((r) => reachOfQuery(r, text.rowAt(r))).join("\n  ")}
  ${r$.map((r) => `var largest${r} = ${LOWEST}; var total${r} = 0.0; ${c$.map((c) => `var y${r}_${c} = vec4f(0);`).join(" ")}`).join("\n  ")}
  ${text.overOthers(
    { tensors: [k, { buffer: bound.v, rowOf: rowOfV }], count: "p.keys" },
    {
      from: "begin",
      end: "end",
      inTile: keysOfTile(variant),
      body: (chunk) => `
      ${u$.map((u) => `let j${u} = u32(x) + ${u}u; let attended${u} = x + ${u} < tileEnd${variant.info ? ` && ((bits >> (j${u} % 32u)) & 1u) != 0u` : ""};`).join("\n      ")}
      ${r$.map((r) => u$.map((u) => `let live${r}_${u} = attended${u} && j${u} - low${r} < reach${r};
      ${scoreOf(variant, `${r}_${u}`, `${text.sum(`(${text.dot("q", r, (c) => chunk(0, u, c))})`)}`, `i${r}`, `min(j${u}, p.keys - 1u)`)}`).join("\n      ")).join("\n      ")}
      ${r$.map((r) => `let next${r} = ${u$.reduce((largest, u) => `max(${largest}, select(${LOWEST}, score${r}_${u}, live${r}_${u}))`, `largest${r}`)};
      let fade${r} = exp(max(largest${r} - next${r}, -80.0));
      largest${r} = next${r};
      ${u$.map((u) => `let e${r}_${u} = select(0.0, exp(clamp(score${r}_${u} - next${r}, -80.0, 0.0)), live${r}_${u});`).join(" ")}
      total${r} = total${r} * fade${r} + ${u$.map((u) => `e${r}_${u}`).join(" + ")};
      ${u$.map((u) => `let weight${r}_${u} = e${r}_${u}${variant.dropout ? ` * ${keepFactor(`i${r}`, `j${u}`)}` : ""};`).join(" ")}`).join("\n      ")}
      ${c$.map((c) => `{ ${u$.map((u) => `let v${u} = ${chunk(1, u, c)};`).join(" ")} ${r$.map((r) => `y${r}_${c} = y${r}_${c} * fade${r} + ${u$.map((u) => `weight${r}_${u} * v${u}`).join(" + ")};`).join(" ")} }`).join("\n      ")}`,
    },
  )}
  ${r$.map((r) => `
  // No key to attend to: zeros, not 0/0.
  let inverse${r} = select(0.0, 1.0 / max(total${r}, 1e-30), total${r} > 0.0);
  if (own == 0u && ${text.rowAt(r)} < p.queries) { logSumExp[part * p.queries + i${r}] = select(0.0, largest${r} + log(max(total${r}, 1e-30)), total${r} > 0.0); }`).join("")}
  ${text.storeHeld([y], "p.queries", (_, r, c) => `y${r}_${c} * inverse${r}`)}`,
  });
}
