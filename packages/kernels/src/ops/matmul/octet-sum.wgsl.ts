import type { LayoutOfB, RegisterTile, TileSum } from "./register-tile.wgsl.ts";
import { range } from "./tile.wgsl.ts";

/**
 * The sums of a tile, with the elements of A shared by eight lanes: each loads one k of eight, a quad hands its four round, then
 * the quads exchange theirs. So two quads of one workgroup are at different ks, each for its own columns. Past the end of k both
 * operands are 0.
 *
 * lavapipe decides its shape. A load is dear, so a row is loaded once in eight ks. Two ks are written out and the rest is loops,
 * because what does not fit the instruction cache costs more than it saves (32 x 8 by fours loads less and is slower). Their ends
 * are constants: loops that may end early for some lanes keep every sum twice and blend.
 */
export function octetSum(layout: LayoutOfB, { rows, columns }: RegisterTile): TileSum {
  const quads = range(columns / 4);
  const b = loadsOfB(layout, columns);
  const steps = [0, 1].flatMap((u) => [
    ...b.at(u),
    ...range(rows).map((i) => `{ let a = vec4f(quadBroadcast(a${i}, ${u}u)); ${quads.map((j) => `c${i}_${j} = fma(a, b${u}_${j}, c${i}_${j});`).join(" ")} }`),
  ]);
  const exchange = (how: (a: string) => string) => range(rows).map((i) => `a${i} = ${how(`a${i}`)};`).join(" ");
  return {
    reads: { b: `array<${b.type}>` },
    module: "",
    setup: [...range(rows).map((i) => `let a${i}Start = startA + min(row + ${i}u, p.m - 1u) * p.rowA;`), ...b.setup],
    loop: [
      "for (var k = kBegin; k < kEnd; k += 8u) {",
      "  let own = k + lane % 8u;",
      "  let step = min(own, last) * p.stepA;",
      ...range(rows).map((i) => `  var a${i} = select(0.0, a[a${i}Start + step], own < kEnd);`),
      "  for (var half = 0u; half < 8u; half += 4u) {",
      "    for (var pair = 0u; pair < 4u; pair += 2u) {",
      "      let k0 = k + ((lane & 4u) ^ half) + pair;",
      ...steps.map((line) => `      ${line}`),
      `      ${exchange((a) => `quadSwapY(${a})`)}`,
      "    }",
      `    ${exchange((a) => `subgroupShuffleXor(${a}, 4u)`)}`,
      "  }",
      "}",
    ],
  };
}

/** `at(u)`: statements that declare the vec4s b{u}_{j} of step k0 + u. */
function loadsOfB(layout: LayoutOfB, count: number): { type: string; setup: readonly string[]; at(u: number): readonly string[] } {
  const columns = range(count);
  const quads = range(count / 4);
  const masked = (u: number, zero: string, value: string) => `select(${zero}, ${value}, k0 + ${u}u < kEnd)`;
  if (layout === "rows") {
    return {
      type: "vec4f",
      setup: quads.map((j) => `let b${j}Start = startB / 4u + min(column / 4u + ${j}u, p.n / 4u - 1u);`),
      at: (u) => [`let row${u} = min(k0 + ${u}u, last) * (p.n / 4u);`, ...quads.map((j) => `let b${u}_${j} = ${masked(u, "vec4f(0)", `b[b${j}Start + row${u}]`)};`)],
    };
  }
  const together = (u: number, element: (c: number) => string) => quads.map((j) => `let b${u}_${j} = vec4f(${range(4).map((c) => element(4 * j + c)).join(", ")});`);
  if (layout === "columns") {
    const loads = ["let at = min(k0, last) / 2u;", ...columns.map((c) => `let t${c} = ${masked(0, "vec2f(0)", `b[b${c}Start + at]`)};`)];
    return {
      type: "vec2f",
      setup: columns.map((c) => `let b${c}Start = (startB + min(column + ${c}u, p.n - 1u) * p.k) / 2u;`),
      at: (u) => [...(u === 0 ? loads : []), ...together(u, (c) => `t${c}.${"xy"[u]!}`)],
    };
  }
  return {
    type: "f32",
    setup: columns.map((c) => `let b${c}Start = startB + min(column + ${c}u, p.n - 1u) * p.columnB;`),
    at: (u) => [`let step${u} = min(k0 + ${u}u, last) * p.stepB;`, ...together(u, (c) => masked(u, "0.0", `b[b${c}Start + step${u}]`))],
  };
}
