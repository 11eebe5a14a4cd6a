import { folded, typeOf, type RowDesign, type Width } from "./rows.ts";

/** Vectors whose exponentials share one correction. */
const BLOCK = 4;

const LOWEST = "-3.4028234663852886e38";
const range = (count: number) => Array.from({ length: count }, (_, i) => i);
const largestOf = (value: string, width: Width) => (width === 4 ? `max(max(${value}.x, ${value}.y), max(${value}.z, ${value}.w))` : value);

/** Statements, and the WGSL functions they call. */
interface Exponentials {
  readonly module: string;
  readonly body: string;
}

/**
 * `top` (the largest of steps [first, end) of a row), and `sum` of exp(z − top), in one reading: what was summed so far is
 * scaled down wherever a larger one turns up (Milakov & Gimelshein 2018, algorithm 3). exp of less than −87, no normal f32
 * any more, counts as exp(−87).
 *
 * @param load spells the value at a step
 * @param weight spells what each step counts in two more results, `product` = Σ weight·(z − top) and `mass` = Σ weight; null where nobody asks
 */
export function rowExponentials(design: RowDesign, width: Width, [first, end]: readonly [string, string], load: (step: string) => string, weight: ((step: string) => string) | null): Exponentials {
  const type = typeOf(width);
  const exponential = (value: string) => `exp(max(${value}, ${type}(-87)))`;
  const step = (i: string, count: number) => {
    const steps = range(count).map((k) => (count === 1 ? i : `${i} + ${k}u`));
    const names = range(count).map((k) => `v${k}`);
    const weighted = weight === null ? "" : `
    ${steps.map((at, k) => `let w${k} = ${weight(at)};`).join(" ")}
    products += masses * max(fall, ${type}(${LOWEST})) + ${names.map((name, k) => `w${k} * (${name} - next)`).join(" + ")};
    masses += ${names.map((_, k) => `w${k}`).join(" + ")};`;
    return `{
    ${names.map((name, k) => `let ${name} = ${load(steps[k]!)};`).join(" ")}
    let next = ${names.reduce((largest, name) => `max(${largest}, ${name})`, "tops")};
    let fall = tops - next;
    sums = sums * ${exponential("fall")} + ${names.map((name) => exponential(`${name} - next`)).join(" + ")};${weighted}
    tops = next;
  }`;
  };
  const whole = `${first} + (${end} - ${first}) / ${BLOCK}u * ${BLOCK}u`;
  const loops =
    design.kind === "workgroup"
      ? `
  for (var i = ${first} + localIndex; i < ${end}; i += ${design.lanes}u) ${step("i", 1)}`
      : `
  for (var i = ${first}; i < ${whole}; i += ${BLOCK}u) ${step("i", BLOCK)}
  for (var i = ${whole}; i < ${end}; i++) ${step("i", 1)}`;
  const own = `
  let ownTop = ${largestOf("tops", width)};
  let below = tops - ownTop;
  let own = vec4f(ownTop, ${folded(`(sums * ${exponential("below")})`, width)}, ${weight === null ? "0.0, 0.0" : `${folded(`(products + masses * below)`, width)}, ${folded("masses", width)}`});`;
  return {
    module: mergeFunction(design),
    body: `
  var tops = ${type}(${LOWEST});
  var sums = ${type}(0);
  ${weight === null ? "" : `var products = ${type}(0);\n  var masses = ${type}(0);`}${loops}${own}
  let merged = rowMerged(own, localIndex);
  let top = merged.x;
  let sum = merged.y;
  ${weight === null ? "" : "let product = merged.z;\n  let mass = merged.w;"}`,
  };
}

/** (top, sum, product, mass) of two parts as one: a WGSL function. */
export const mergeParts = `
fn mergeParts(a: vec4f, b: vec4f) -> vec4f {
  let top = max(a.x, b.x);
  let down = max(vec2f(a.x, b.x) - top, vec2f(${LOWEST}));
  let scale = exp(max(down, vec2f(-87)));
  return vec4f(top, a.y * scale.x + b.y * scale.y, a.z + a.w * down.x + b.z + b.w * down.y, a.w + b.w);
}`;

/** `rowMerged` joins what the invocations of a row have. */
function mergeFunction(design: RowDesign): string {
  if (design.kind === "lane") return "fn rowMerged(own: vec4f, localIndex: u32) -> vec4f { return own; }";
  return `${mergeParts}
var<workgroup> merging: array<vec4f, ${design.lanes}>;
fn rowMerged(own: vec4f, localIndex: u32) -> vec4f {
  merging[localIndex] = own;
  workgroupBarrier();
  for (var half = ${design.lanes / 2}u; half > 0u; half /= 2u) {
    if (localIndex < half) { merging[localIndex] = mergeParts(merging[localIndex], merging[localIndex + half]); }
    workgroupBarrier();
  }
  return merging[0];
}`;
}
