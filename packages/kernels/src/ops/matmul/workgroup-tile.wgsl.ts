import { defineKernel, type Kernel } from "../../program/kernel.ts";
import { epilogueWgsl, type Epilogue } from "./epilogue.wgsl.ts";
import { MATMUL_PARAMS, range, TILE_OF_WORKGROUP } from "./tile.wgsl.ts";
import { weightsWgsl, type WeightFormat } from "./weights.wgsl.ts";

/** Facts of a problem that change the kernel's text; sizes come through its uniform. */
export interface WorkgroupVariant {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  /** Elements a load or store moves: 4 where the extent along which an operand lies is a multiple of 4. */
  readonly widthA: 1 | 4;
  readonly widthB: 1 | 4;
  readonly widthY: 1 | 4;
}

export interface WorkgroupTile {
  /** Rows and columns of y that a lane keeps, multiples of 4. */
  readonly rows: number;
  readonly columns: number;
  /** Multiples of 8 and of 4. */
  readonly lanes: readonly [number, number];
  /** Steps of k that one stage brings into workgroup memory, a multiple of 4. */
  readonly depth: number;
  /** Stages in workgroup memory: with two, one is filled while the other is multiplied, and lanes wait for each other once a stage. */
  readonly stages: 1 | 2;
  /** True: operands that lie along k stay so in workgroup memory, a vec4 of four steps, in place of being turned over on the way. */
  readonly alongK?: boolean;
}

/** Bytes of workgroup memory. */
export function workgroupTileBytes({ rows, columns, lanes: [x, y], depth, stages, alongK }: WorkgroupTile): number {
  const padding = alongK ? 1 : 0;
  return 4 * stages * depth * (rows * (y + padding) + columns * (x + padding));
}

/** Steps of k in a turn of the loop. All of a stage is slower: 29 TFLOP/s where this gives 34 on an H200, and drivers compile longer. */
const UNROLL = 4;

const type = (width: 1 | 4) => (width === 4 ? "vec4f" : "f32");

/**
 * `laneX` and `laneY`: 32 lanes that run together are a block of 8 × 4, not a row or two: they read fewest different vec4s. Any
 * assignment is right, whatever the size of the adapter's subgroups.
 */
const LANES_IN_BLOCKS = (lanesX: number) => `
  let block = localIndex / 32u;
  let laneX = (block % ${lanesX / 8}u) * 8u + localIndex % 8u;
  let laneY = (block / ${lanesX / 8}u) * 4u + (localIndex % 32u) / 8u;`;

const layoutLabel = ({ transposeA, transposeB, widthA, widthB, widthY }: WorkgroupVariant) => `${transposeA ? "t" : "n"}${transposeB ? "t" : "n"}-${widthA}${widthB}${widthY}`;

/** y = a · b through workgroup memory, for real GPUs: a stage of A and B is loaded together, zeros past the edges, then each lane multiplies its tile. */
export function workgroupTileKernel(variant: WorkgroupVariant, tile: WorkgroupTile, end: Epilogue, format: WeightFormat): Kernel {
  const { rows, columns, lanes, depth, stages } = tile;
  const [lanesX, lanesY] = lanes;
  const [quadsM, quadsN] = [rows / 4, columns / 4];
  const [tileRows, tileColumns] = [rows * lanesY, columns * lanesX];
  const epilogue = epilogueWgsl(end, variant.widthY);
  const lanesCount = lanesX * lanesY;
  const weights = weightsWgsl(format, variant.widthB);
  const four = (operand: "a" | "b", quad: string) => (operand === "a" ? `a[${quad}]` : weights.four(quad));
  const one = (operand: "a" | "b", element: string) => (operand === "a" ? `a[${element}]` : weights.one(element));

  // Both stages lie [depth][extent], so that the inner loop reads vec4s along rows and columns. A lane writes whole vec4s:
  // writing one component of a vec4 touches all four in WGSL's memory model. Half of the lanes bring A, half B.
  const half = lanesCount / 2;
  const kept = { a: tile.alongK === true && !variant.transposeA && variant.widthA === 4, b: tile.alongK === true && variant.transposeB && variant.widthB === 4 };
  const part = (operand: "a" | "b", alongK: boolean, width: 1 | 4, extent: number, size: "p.m" | "p.n", begin: string) => {
    if (kept[operand]) return keptPart(operand, extent, size, begin);
    // Four steps of four rows, turned over in registers.
    const blocks = alongK && width === 4;
    const quads = extent / 4;
    const items = quads * (blocks ? depth / 4 : depth);
    const turns = range(Math.ceil(items / half));
    const start = operand === "a" ? "startA" : "startB";
    const item = (turn: number, body: string) => `{
      let i = own + ${turn * half}u;
      let xx = ${alongK && !blocks ? `i / ${depth}u` : `i % ${quads}u`};
      let kk = ${alongK && !blocks ? `i % ${depth}u` : `i / ${quads}u${blocks ? " * 4u" : ""}`};
      ${(turn + 1) * half > items ? `if (i < ${items}u) { ${body} }` : body}
    }`;
    const loads = (turn: number, k0: string) => {
      const value = (c: number) => `v${blocks ? 4 * turn + c : turn}`;
      const into = (name: string, condition: string, load: string) => `if (${condition} && k < kEnd) { ${name} = ${load}; }`;
      const where = `let k = ${k0} + kk; let x = ${begin} + xx * 4u;`;
      const clear = (blocks ? range(4) : [0]).map((c) => `${value(c)} = vec4f(0);`).join(" ");
      if (blocks) return `${where} ${clear} ${range(4).map((c) => into(value(c), `x + ${c}u < ${size}`, four(operand, `(${start} + (x + ${c}u) * p.k + k) / 4u`))).join(" ")}`;
      if (width === 4) return `${where} ${clear} ${into(value(0), `x < ${size}`, four(operand, `(${start} + k * ${size} + x) / 4u`))}`;
      return `${where} ${clear} ${range(4).map((c) => into(`${value(0)}.${"xyzw"[c]}`, `x + ${c}u < ${size}`, one(operand, `${start} + ${alongK ? `(x + ${c}u) * p.k + k` : `k * ${size} + x + ${c}u`}`))).join(" ")}`;
    };
    const stores = (turn: number) =>
      blocks ? range(4).map((u) => `${operand}Stage[into][kk + ${u}u][xx] = vec4f(${range(4).map((c) => `v${4 * turn + c}.${"xyzw"[u]}`).join(", ")});`).join(" ") : `${operand}Stage[into][kk][xx] = v${turn};`;
    return {
      registers: turns.length * (blocks ? 4 : 1),
      load: (k0: string) => turns.map((turn) => item(turn, loads(turn, k0))).join("\n    "),
      store: turns.map((turn) => item(turn, stores(turn))).join("\n    "),
    };
  };
  // A stage that lies along k: [row of a lane][four steps][lane], one lane more than there are, so that stores meet no bank twice.
  const fours = depth / 4;
  const lanesOf = (operand: "a" | "b") => (operand === "a" ? lanesY : lanesX);
  const keptPart = (operand: "a" | "b", extent: number, size: "p.m" | "p.n", begin: string) => {
    const side = lanesOf(operand);
    const items = extent * fours;
    const turns = range(Math.ceil(items / half));
    const start = operand === "a" ? "startA" : "startB";
    const item = (turn: number, body: string) => `{
      let i = own + ${turn * half}u;
      let xx = i / ${fours}u;
      let kk = i % ${fours}u;
      ${(turn + 1) * half > items ? `if (i < ${items}u) { ${body} }` : body}
    }`;
    return {
      registers: turns.length,
      load: (k0: string) => turns.map((turn) => item(turn, `let k = ${k0} + kk * 4u; let x = ${begin} + xx; v${turn} = vec4f(0); if (x < ${size} && k < kEnd) { v${turn} = ${four(operand, `(${start} + x * p.k + k) / 4u`)}; }`)).join("\n    "),
      store: turns.map((turn) => item(turn, `${operand}Stage[into][xx / ${4 * side}u * 4u + xx % 4u][kk * ${side + 1}u + xx / 4u % ${side}u] = v${turn};`)).join("\n    "),
    };
  };
  const partA = part("a", !variant.transposeA, variant.widthA, tileRows, "p.m", `tileM * ${tileRows}u`);
  const partB = part("b", variant.transposeB, variant.widthB, tileColumns, "p.n", `tileN * ${tileColumns}u`);
  const either = (ofA: string, ofB: string) => `if (bringsA) {
    ${ofA}
    } else {
    ${ofB}
    }`;

  // Four steps at once: those of B first, then row by row of A.
  const multiplyFour = (step: string) => {
    const bs = kept.b
      ? range(columns).map((c) => `let b${c} = bStage[stage][${c}][${step} * ${lanesX + 1}u + laneX];`)
      : range(4).flatMap((u) => range(quadsN).map((j) => `let b${u}_${j} = bStage[stage][${step} * 4u + ${u}u][${j * lanesX}u + laneX];`));
    const times = (i: number, a: (u: number) => string) => range(quadsN).flatMap((j) => range(4).map((u) => (kept.b
      ? range(4).map((c) => `c${i}_${j}.${"xyzw"[c]} = fma(${a(u)}, b${4 * j + c}.${"xyzw"[u]}, c${i}_${j}.${"xyzw"[c]});`).join(" ")
      : `c${i}_${j} = fma(vec4f(${a(u)}), b${u}_${j}, c${i}_${j});`))).join(" ");
    const rowsOfA = kept.a
      ? range(rows).map((i) => `{ let a = aStage[stage][${i}][${step} * ${lanesY + 1}u + laneY]; ${times(i, (u) => `a.${"xyzw"[u]}`)} }`)
      : range(quadsM).map((q) => `{ ${range(4).map((u) => `let a${u} = aStage[stage][${step} * 4u + ${u}u][${q * lanesY}u + laneY];`).join(" ")} ${range(4).map((i) => times(4 * q + i, (u) => `a${u}.${"xyzw"[i]}`)).join("\n      ")} }`);
    return `{\n      ${[...bs, ...rowsOfA].join("\n      ")}\n    }`;
  };
  const multiply = (k: string) => `{
      ${[
        ...range(quadsM).map((q) => `let a${q} = aStage[stage][${k}][${q * lanesY}u + laneY];`),
        ...range(quadsN).map((j) => `let b${j} = bStage[stage][${k}][${j * lanesX}u + laneX];`),
        ...range(rows).map((i) => range(quadsN).map((j) => `c${i}_${j} = fma(vec4f(a${i >> 2}.${"xyzw"[i & 3]}), b${j}, c${i}_${j});`).join(" ")),
      ].join("\n      ")}
    }`;
  const stageOf = (operand: "a" | "b", extent: number, ofLane: number) => (kept[operand] ? `array<array<vec4f, ${fours * (lanesOf(operand) + 1)}>, ${ofLane}>` : `array<array<vec4f, ${extent / 4}>, ${depth}>`);
  const stores = range(rows).map((i) => {
    const store = range(quadsN).map((j) => {
      const column = `column + ${4 * j * lanesX}u`;
      if (variant.widthY === 4) return `if (${column} < p.n) { ${epilogue.store(`(at + ${column}) / 4u`, `(startBias + ${column}) / 4u`, `c${i}_${j}`)} }`;
      return range(4).map((c) => `if (${column} + ${c}u < p.n) { ${epilogue.store(`at + ${column} + ${c}u`, `startBias + ${column} + ${c}u`, `c${i}_${j}.${"xyzw"[c]}`)} }`).join("\n    ");
    });
    const row = `row + ${4 * (i >> 2) * lanesY + (i & 3)}u`;
    return `  if (${row} < p.m) {\n    let at = startY + (${row}) * p.n;\n    ${store.join("\n    ")}\n  }`;
  });

  return defineKernel({
    label: `matmul/workgroup/${tileRows}x${tileColumns}x${depth}x${stages}${tile.alongK ? "k" : ""}/${layoutLabel(variant)}${epilogue.label}/${format}`,
    reads: { a: `array<${type(variant.widthA)}>`, ...weights.reads, ...epilogue.reads },
    writes: epilogue.writes,
    params: MATMUL_PARAMS,
    module: `${weights.module}
${epilogue.module}
var<workgroup> aStage: array<${stageOf("a", tileRows, rows)}, ${stages}>;
var<workgroup> bStage: array<${stageOf("b", tileColumns, columns)}, ${stages}>;`,
    workgroupSize: [lanesX, lanesY],
    body: `${TILE_OF_WORKGROUP}
${LANES_IN_BLOCKS(lanesX)}
  let row = tileM * ${tileRows}u + laneY * 4u;
  let column = tileN * ${tileColumns}u + laneX * 4u;
  let bringsA = localIndex < ${half}u;
  let own = localIndex % ${half}u;
  ${range(Math.max(partA.registers, partB.registers)).map((i) => `var v${i} = vec4f(0);`).join(" ")}
  ${range(rows).map((i) => range(quadsN).map((j) => `var c${i}_${j} = vec4f(0);`).join(" ")).join("\n  ")}
  ${either(partA.load("kBegin"), partB.load("kBegin"))}
  ${stages === 2 ? `{ let into = 0u; ${either(partA.store, partB.store)} }\n  workgroupBarrier();\n  var stage = 0u;` : "let stage = 0u;\n  let into = 0u;"}
  for (var k0 = kBegin; k0 < kEnd; k0 += ${depth}u) {
    ${stages === 1 ? `${either(partA.store, partB.store)}\n    workgroupBarrier();` : ""}
    // Under way while this stage is multiplied.
    ${either(partA.load(`(k0 + ${depth}u)`), partB.load(`(k0 + ${depth}u)`))}
    ${kept.a || kept.b ? `for (var step = 0u; step < ${fours}u; step++) ${multiplyFour("step")}` : `for (var step = 0u; step < ${depth}u; step += ${UNROLL}u) {
    ${range(UNROLL).map((u) => multiply(`step + ${u}u`)).join("\n    ")}
    }`}
    ${stages === 2 ? `let into = 1u - stage;\n    ${either(partA.store, partB.store)}\n    stage = into;` : ""}
    workgroupBarrier();
  }
${stores.join("\n")}`,
  });
}
