import { defineKernel, type Kernel } from "../../program/kernel.ts";
import { keysOfWorkgroup, queriesOfWorkgroup, reachOfKey, reachOfQuery } from "./reach.wgsl.ts";
import { keysOfColumns } from "./tiled-forward.wgsl.ts";
import { tiledDeclarations, tiledLabel, tilesText, type TiledVariant } from "./tiles.wgsl.ts";
import { ATTENTION_PARAMS, isKey, keepFactor, rowOfY, scoreOf } from "./variant.wgsl.ts";

// Dao 2023, algorithm 2, in two kernels that need no atomics, as in backward.wgsl.ts.

/** dq: a workgroup keeps a tile of queries and goes over tiles of keys. `stats` as in backward.wgsl.ts. */
export function tiledGradientOfQueriesKernel(variant: TiledVariant, writesStats: boolean): Kernel {
  const text = tilesText("queries", variant);
  const { r$, c$, e$ } = text;
  const { q, k, v, ofY } = text.rowsOf();
  const { reads, module, type } = tiledDeclarations(variant);
  const [ofQ, ofG, ofK, ofV, scores] = [text.held(0), text.held(1), text.other(0), text.other(1), text.scores("other1")];
  const [lanesX] = variant.tile.lanes;
  const chunks = variant.headDim / 4;
  const statOf = (r: number) => {
    const place = `part * p.queries + i${r}`;
    if (!writesStats) return `let stat${r} = stats[${place}];`;
    const product = (e: number) => {
      const chunk = `laneX + ${e * lanesX}u`;
      return `select(0.0, dot(dy[rowOfY${r} + min(${chunk}, ${chunks - 1}u)], y[rowOfY${r} + min(${chunk}, ${chunks - 1}u)]), ${chunk} < ${chunks}u)`;
    };
    return `let rowOfY${r} = ${rowOfY(`i${r}`, variant.headDim)} / 4u;
  ${text.overRow(`delta${r}_`, e$.map(product).join(" + "), (a, b) => `${a} + ${b}`)}
  let stat${r} = vec2f(logSumExp[${place}], delta${r}_);
  if (laneX == 0u && ${text.rowAt(r)} < p.queries) { stats[${place}] = stat${r}; }`;
  };
  return defineKernel({
    label: `attention/gradient-of-queries${writesStats ? "+stats" : ""}/${tiledLabel(variant)}`,
    enable: ["subgroups"],
    reads: { ...(writesStats ? { y: type, logSumExp: "array<f32>" } : { stats: "array<vec2f>" }), dy: type, ...reads },
    writes: { [text.rowsOf("d").q.buffer]: type, ...(writesStats && { stats: "array<vec2f>" }) },
    params: ATTENTION_PARAMS,
    module: `${text.module}\n${module}`,
    workgroupSize: [text.lanes],
    body: `${text.setup}
${keysOfWorkgroup(variant, text.heldRows)}
  ${text.fill(ofQ, "held", q, `tile * ${text.heldRows}u`, "p.queries")}
  ${text.fill(ofG, "held", ofY("dy"), `tile * ${text.heldRows}u`, "p.queries")}
  ${r$.map((r) => reachOfQuery(r, text.rowAt(r))).join("\n  ")}
  ${r$.map(statOf).join("\n  ")}
  ${r$.map((r) => e$.map((e) => `var dq${r}_${e} = vec4f(0);`).join(" ")).join("\n  ")}
  for (var tileBegin = max(begin, 0); tileBegin < end; tileBegin += ${text.otherRows}) {
    workgroupBarrier();
    ${text.fill(ofK, "other", k, "tileBegin", "p.keys")}
    ${text.fill(ofV, "other", v, "tileBegin", "p.keys")}
    workgroupBarrier();
    ${text.dots([{ sum: "s", held: ofQ, other: ofK }, { sum: "dp", held: ofG, other: ofV }])}
    // Gradients of scores take the place of values.
    workgroupBarrier();
    ${keysOfColumns(variant, c$, lanesX)}
    ${r$.map((r) => c$.map((c) => {
      const t = `${r}_${c}`;
      return `${scoreOf(variant, t, `s${t}`, `i${r}`, `min(j${c}, p.keys - 1u)`)}
    let probability${t} = select(0.0, exp(clamp(score${t} - stat${r}.x, -80.0, 80.0)), j${c} - low${r} < reach${r}${variant.info ? ` && key${c}` : ""});
    let ds${t} = probability${t} * (dp${t}${variant.dropout ? ` * ${keepFactor(`i${r}`, `j${c}`)}` : ""} - stat${r}.y) * p.scale${variant.softCap ? ` * slope${t}` : ""};`;
    }).join("\n    ")).join("\n    ")}
    ${text.putScores(scores, (r, c) => `ds${r}_${c}`)}
    workgroupBarrier();
    ${text.accumulate("dq", scores, ofK)}
  }
  ${text.store({ ...q, buffer: text.rowsOf("d").q.buffer }, "p.queries", ofQ, (r, e) => `dq${r}_${e}`)}`,
  });
}

/** dk and dv, or one of them: a workgroup keeps a tile of keys and goes over tiles of the queries of every head that they serve. */
export function tiledGradientOfKeysKernel(variant: TiledVariant, wanted: readonly ("dk" | "dv")[]): Kernel {
  const text = tilesText("keys", variant);
  const { r$, c$, e$ } = text;
  const { q, k, v, ofY } = text.rowsOf();
  const written = text.rowsOf("d");
  const { reads, module, type } = tiledDeclarations(variant);
  const [ofK, ofV, ofQ, ofG, scores] = [text.held(0), text.held(1), text.other(0), text.other(1), text.scores("scores")];
  const [lanesX] = variant.tile.lanes;
  const targets = { dk: { ...k, buffer: written.k.buffer }, dv: { ...v, buffer: written.v.buffer } };
  return defineKernel({
    label: `attention/gradient-of-keys/${wanted.join("+")}/${tiledLabel(variant)}`,
    enable: ["subgroups"],
    reads: { stats: "array<vec2f>", dy: type, ...reads },
    writes: Object.fromEntries(wanted.map((name) => [targets[name].buffer, type])),
    params: ATTENTION_PARAMS,
    module: `${text.module}\n${module}`,
    workgroupSize: [text.lanes],
    body: `${text.setup}
${queriesOfWorkgroup(variant, text.heldRows)}
  ${text.fill(ofK, "held", k, `tile * ${text.heldRows}u`, "p.keys")}
  ${text.fill(ofV, "held", v, `tile * ${text.heldRows}u`, "p.keys")}
  ${r$.map((r) => reachOfKey(r, text.rowAt(r), isKey(variant, `j${r}`))).join("\n  ")}
  ${wanted.map((name) => r$.map((r) => e$.map((e) => `var ${name}${r}_${e} = vec4f(0);`).join(" ")).join("\n  ")).join("\n  ")}
  for (var h = keyHead * serves; h < (keyHead + 1u) * serves; h++) {
  for (var tileBegin = max(begin, 0); tileBegin < end; tileBegin += ${text.otherRows}) {
    ${c$.map((c) => `let i${c} = u32(tileBegin) + laneX + ${c * lanesX}u; let safe${c} = min(i${c}, p.queries - 1u); let stat${c} = stats[(b * p.heads + h) * p.queries + safe${c}];`).join("\n    ")}
    workgroupBarrier();
    ${text.fill(ofQ, "other", q, "tileBegin", "p.queries")}
    ${text.fill(ofG, "other", ofY("dy"), "tileBegin", "p.queries")}
    workgroupBarrier();
    ${text.dots([{ sum: "s", held: ofK, other: ofQ }, { sum: "dp", held: ofV, other: ofG }])}
    ${r$.map((r) => c$.map((c) => {
      const t = `${r}_${c}`;
      return `${scoreOf(variant, t, `s${t}`, `safe${c}`, `j${r}`)}
    let probability${t} = select(0.0, exp(clamp(score${t} - stat${c}.x, -80.0, 80.0)), i${c} - low${r} < reach${r});
    let keep${t} = ${variant.dropout ? keepFactor(`i${c}`, `j${r}`) : "1.0"};
    let weight${t} = probability${t} * keep${t};
    let ds${t} = probability${t} * (dp${t} * keep${t} - stat${c}.y) * p.scale${variant.softCap ? ` * slope${t}` : ""};`;
    }).join("\n    ")).join("\n    ")}
    ${wanted.map((name) => `${name === wanted[0] ? "" : "workgroupBarrier();"}
    { ${text.putScores(scores, (r, c) => `${name === "dv" ? "weight" : "ds"}${r}_${c}`)} }
    workgroupBarrier();
    ${text.accumulate(name, scores, name === "dv" ? ofG : ofQ)}`).join("\n    ")}
  }
  }
  ${wanted.map((name) => text.store(targets[name], "p.keys", ofK, (r, e) => `${name}${r}_${e}`)).join("\n  ")}`,
  });
}
