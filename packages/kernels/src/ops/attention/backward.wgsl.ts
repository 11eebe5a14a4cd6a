import { defineKernel, type Kernel } from "../../program/kernel.ts";
import { keysOfTile, keysOfWorkgroup, queriesOfWorkgroup, reachOfKey, reachOfQuery } from "./reach.wgsl.ts";
import { rowsText, turningModule, type HeldRows } from "./rows.wgsl.ts";
import { ATTENTION_PARAMS, bindingsOf, isKey, keepFactor, labelOf, positionOfK, positionOfQ, randomModule, readsOf, rowOfK, rowOfQ, rowOfV, rowOfY, scoreOf, type AttentionVariant } from "./variant.wgsl.ts";

// Dao et al. 2022, algorithm 4, in two kernels that need no atomics: one keeps queries and goes over keys, one the other way.

/**
 * dq: a lane keeps a few queries and goes over the keys, recomputing the probabilities. `stats` are written on the way for
 * the gradient of keys, from y and the log-sum-exp; or were written before, where one kernel cannot bind all.
 */
export function gradientOfQueriesKernel(variant: AttentionVariant, writesStats: boolean): Kernel {
  const text = rowsText(variant);
  const { r$, u$, c$ } = text;
  const [bound, written] = [bindingsOf(variant.joined), bindingsOf(variant.joined, "d")];
  const q = { name: "q", buffer: bound.q, rowOf: rowOfQ, positionOf: positionOfQ(variant) };
  const k = { buffer: bound.k, rowOf: rowOfK, positionOf: positionOfK(variant) };
  const rowsOfY = (name: string, buffer: string): HeldRows => ({ name, buffer, rowOf: (i) => rowOfY(i, variant.headDim) });
  const statOf = (r: number) => {
    const place = `part * p.queries + i${r}`;
    if (!writesStats) return `let stat${r} = stats[${place}];`;
    return `let stat${r} = vec2f(logSumExp[${place}], ${text.sum(text.dot("g", r, (c) => `o${r}_${c}`))});
  if (own == 0u && ${text.rowAt(r)} < p.queries) { stats[${place}] = stat${r}; }`;
  };
  return defineKernel({
    label: `attention/gradient-of-queries${writesStats ? "+stats" : ""}/${labelOf(variant)}`,
    enable: text.enable,
    reads: { ...(writesStats ? { y: text.type, logSumExp: "array<f32>" } : { stats: "array<vec2f>" }), dy: text.type, ...readsOf(variant) },
    writes: { [written.q]: text.type, ...(writesStats && { stats: "array<vec2f>" }) },
    params: ATTENTION_PARAMS,
    module: `${text.module}\n${randomModule(variant)}${turningModule(variant, [q, k])}`,
    workgroupSize: [variant.workgroupSize],
    body: `${text.setup}
${keysOfWorkgroup(variant, text.tileRows)}
  ${text.loadHeld([q, rowsOfY("g", "dy"), ...(writesStats ? [rowsOfY("o", "y")] : [])], "p.queries")}
  ${r$.map((r) => reachOfQuery(r, text.rowAt(r))).join("\n  ")}
  ${r$.map(statOf).join("\n  ")}
  ${r$.map((r) => c$.map((c) => `var dq${r}_${c} = vec4f(0);`).join(" ")).join("\n  ")}
  ${text.overOthers(
    { tensors: [k, { buffer: bound.v, rowOf: rowOfV }], count: "p.keys" },
    {
      from: "begin",
      end: "end",
      inTile: keysOfTile(variant),
      body: (chunk) => `
      ${u$.map((u) => `let j${u} = u32(x) + ${u}u; let attended${u} = x + ${u} < tileEnd${variant.info ? ` && ((bits >> (j${u} % 32u)) & 1u) != 0u` : ""};`).join("\n      ")}
      ${u$.map((u) => r$.map((r) => {
        const t = `${r}_${u}`;
        return `${scoreOf(variant, t, text.sum(`(${text.dot("q", r, (c) => chunk(0, u, c))})`), `i${r}`, `min(j${u}, p.keys - 1u)`)}
      let probability${t} = select(0.0, exp(clamp(score${t} - stat${r}.x, -80.0, 80.0)), attended${u} && j${u} - low${r} < reach${r});
      let dp${t} = ${text.sum(`(${text.dot("g", r, (c) => chunk(1, u, c))})`)}${variant.dropout ? ` * ${keepFactor(`i${r}`, `j${u}`)}` : ""};
      let ds${t} = probability${t} * (dp${t} - stat${r}.y) * p.scale${variant.softCap ? ` * slope${t}` : ""};`;
      }).join("\n      ")).join("\n      ")}
      ${c$.map((c) => `{ ${u$.map((u) => `let k${u} = ${chunk(0, u, c)};`).join(" ")} ${r$.map((r) => `dq${r}_${c} += ${u$.map((u) => `ds${r}_${u} * k${u}`).join(" + ")};`).join(" ")} }`).join("\n      ")}`,
    },
  )}
  ${text.storeHeld([{ ...q, name: "d", buffer: written.q }], "p.queries", (_, r, c) => `dq${r}_${c}`)}`,
  });
}

/** dk and dv, or one of them: a lane keeps a few keys and goes over the queries of every head that they serve. */
export function gradientOfKeysKernel(variant: AttentionVariant, wanted: readonly ("dk" | "dv")[]): Kernel {
  const text = rowsText(variant);
  const { r$, u$, c$ } = text;
  const [bound, written] = [bindingsOf(variant.joined), bindingsOf(variant.joined, "d")];
  const q = { buffer: bound.q, rowOf: rowOfQ, positionOf: positionOfQ(variant) };
  const k = { name: "k", buffer: bound.k, rowOf: rowOfK, positionOf: positionOfK(variant) };
  const targets: Record<"dk" | "dv", HeldRows> = { dk: { ...k, name: "dk", buffer: written.k }, dv: { name: "dv", buffer: written.v, rowOf: rowOfV } };
  const accumulate = { dk: { weight: "ds", of: 0 }, dv: { weight: "weight", of: 1 } } as const;
  return defineKernel({
    label: `attention/gradient-of-keys/${wanted.join("+")}/${labelOf(variant)}`,
    enable: text.enable,
    reads: { stats: "array<vec2f>", dy: text.type, ...readsOf(variant) },
    writes: Object.fromEntries(wanted.map((name) => [targets[name].buffer, text.type])),
    params: ATTENTION_PARAMS,
    module: `${text.module}\n${randomModule(variant)}${turningModule(variant, [q, k])}`,
    workgroupSize: [variant.workgroupSize],
    body: `${text.setup}
${queriesOfWorkgroup(variant, text.tileRows)}
  ${text.loadHeld([k, { name: "v", buffer: bound.v, rowOf: rowOfV }], "p.keys")}
  ${r$.map((r) => reachOfKey(r, text.rowAt(r), isKey(variant, `j${r}`))).join("\n  ")}
  ${wanted.map((name) => r$.map((r) => c$.map((c) => `var ${name}${r}_${c} = vec4f(0);`).join(" ")).join("\n  ")).join("\n  ")}
  for (var h = keyHead * serves; h < (keyHead + 1u) * serves; h++) {
  ${text.overOthers(
    { tensors: [q, { buffer: "dy", rowOf: (i) => rowOfY(i, variant.headDim) }], count: "p.queries" },
    {
      from: "begin",
      end: "end",
      body: (chunk) => `
      ${u$.map((u) => `let i${u} = u32(x) + ${u}u; let query${u} = x + ${u} < tileEnd; let safe${u} = min(i${u}, p.queries - 1u); let stat${u} = stats[(b * p.heads + h) * p.queries + safe${u}];`).join("\n      ")}
      ${u$.map((u) => r$.map((r) => {
        const t = `${r}_${u}`;
        return `${scoreOf(variant, t, text.sum(`(${text.dot("k", r, (c) => chunk(0, u, c))})`), `safe${u}`, `j${r}`)}
      let probability${t} = select(0.0, exp(clamp(score${t} - stat${u}.x, -80.0, 80.0)), query${u} && i${u} - low${r} < reach${r});
      let keep${t} = ${variant.dropout ? keepFactor(`i${u}`, `j${r}`) : "1.0"};
      let weight${t} = probability${t} * keep${t};
      let ds${t} = probability${t} * (${text.sum(`(${text.dot("v", r, (c) => chunk(1, u, c))})`)} * keep${t} - stat${u}.y) * p.scale${variant.softCap ? ` * slope${t}` : ""};`;
      }).join("\n      ")).join("\n      ")}
      ${wanted.map((name) => c$.map((c) => `{ ${u$.map((u) => `let x${u} = ${chunk(accumulate[name].of, u, c)};`).join(" ")} ${r$.map((r) => `${name}${r}_${c} += ${u$.map((u) => `${accumulate[name].weight}${r}_${u} * x${u}`).join(" + ")};`).join(" ")} }`).join("\n      ")).join("\n      ")}`,
    },
  )}
  }
  ${text.storeHeld(wanted.map((name) => targets[name]), "p.keys", (name, r, c) => `${name}${r}_${c}`)}`,
  });
}
