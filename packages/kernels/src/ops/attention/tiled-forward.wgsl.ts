import { defineKernel, type Kernel } from "../../program/kernel.ts";
import { INFO_WORDS } from "./keys.ts";
import { keysOfWorkgroup, reachOfQuery } from "./reach.wgsl.ts";
import { tiledDeclarations, tiledLabel, tilesText, type TiledVariant } from "./tiles.wgsl.ts";
import { ATTENTION_PARAMS, keepFactor, LOWEST, scoreOf } from "./variant.wgsl.ts";

/** Statements: `j${c}`, the key of each column of the tile that begins at `tileBegin`, and `key${c}`, whether it is no padding. */
export const keysOfColumns = ({ info }: Pick<TiledVariant, "info">, c$: readonly number[], lanesX: number): string =>
  c$.map((c) => `let j${c} = u32(tileBegin) + laneX + ${c * lanesX}u;${info ? ` let key${c} = ((info[flags + ${INFO_WORDS}u + min(j${c}, p.keys - 1u) / 32u] >> (j${c} % 32u)) & 1u) != 0u;` : ""}`).join("\n    ");

/** y and the log-sum-exp: a workgroup keeps a tile of queries and goes over tiles of keys (Dao 2023, "FlashAttention-2", algorithm 1). */
export function tiledForwardKernel(variant: TiledVariant): Kernel {
  const text = tilesText("forward", variant);
  const { r$, c$, e$ } = text;
  const { q, k, v, ofY } = text.rowsOf();
  const { reads, module, type } = tiledDeclarations(variant);
  const [held, ofK, ofV, scores] = [text.held(0), text.other(0), text.other(1), text.scores("other0")];
  const [lanesX] = variant.tile.lanes;
  return defineKernel({
    label: `attention/forward/${tiledLabel(variant)}`,
    enable: ["subgroups"],
    reads,
    writes: { y: type, logSumExp: "array<f32>" },
    params: ATTENTION_PARAMS,
    module: `${text.module}\n${module}`,
    workgroupSize: [text.lanes],
    body: `${text.setup}
${keysOfWorkgroup(variant, text.heldRows)}
  ${text.fill(held, "held", q, `tile * ${text.heldRows}u`, "p.queries")}
  ${r$.map((r) => reachOfQuery(r, text.rowAt(r))).join("\n  ")}
  ${r$.map((r) => `var largest${r} = ${LOWEST}; var total${r} = 0.0; ${e$.map((e) => `var y${r}_${e} = vec4f(0);`).join(" ")}`).join("\n  ")}
  for (var tileBegin = max(begin, 0); tileBegin < end; tileBegin += ${text.otherRows}) {
    workgroupBarrier();
    ${text.fill(ofK, "other", k, "tileBegin", "p.keys")}
    ${text.fill(ofV, "other", v, "tileBegin", "p.keys")}
    workgroupBarrier();
    ${text.dots([{ sum: "s", held, other: ofK }])}
    // Scores take the place of keys.
    workgroupBarrier();
    ${keysOfColumns(variant, c$, lanesX)}
    ${r$.map((r) => `${c$.map((c) => `${scoreOf(variant, `${r}_${c}`, `s${r}_${c}`, `i${r}`, `min(j${c}, p.keys - 1u)`)} let live${r}_${c} = j${c} - low${r} < reach${r}${variant.info ? ` && key${c}` : ""};`).join("\n    ")}
    ${text.overRow(`next${r}_`, c$.reduce((largest, c) => `max(${largest}, select(${LOWEST}, score${r}_${c}, live${r}_${c}))`, `largest${r}`), (a, b) => `max(${a}, ${b})`)}
    let fade${r} = exp(max(largest${r} - next${r}_, -80.0));
    largest${r} = next${r}_;
    ${c$.map((c) => `let e${r}_${c} = select(0.0, exp(clamp(score${r}_${c} - next${r}_, -80.0, 0.0)), live${r}_${c});`).join("\n    ")}
    total${r} = total${r} * fade${r} + ${c$.map((c) => `e${r}_${c}`).join(" + ")};
    ${e$.map((e) => `y${r}_${e} *= fade${r};`).join(" ")}`).join("\n    ")}
    ${text.putScores(scores, (r, c) => `e${r}_${c}${variant.dropout ? ` * ${keepFactor(`i${r}`, `j${c}`)}` : ""}`)}
    workgroupBarrier();
    ${text.accumulate("y", scores, ofV)}
  }
  ${r$.map((r) => `${text.overRow(`sum${r}_`, `total${r}`, (a, b) => `${a} + ${b}`)}
  // No key to attend to: zeros, not 0/0.
  let inverse${r} = select(0.0, 1.0 / max(sum${r}_, 1e-30), sum${r}_ > 0.0);
  if (laneX == 0u && ${text.rowAt(r)} < p.queries) { logSumExp[part * p.queries + i${r}] = select(0.0, largest${r} + log(max(sum${r}_, 1e-30)), sum${r}_ > 0.0); }`).join("\n  ")}
  ${text.store(ofY("y"), "p.queries", held, (r, e) => `y${r}_${e} * inverse${r}`)}`,
  });
}
