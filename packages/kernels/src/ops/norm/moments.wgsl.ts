import { folded, rowTotal, storing, typeOf, type RowDesign, type Width } from "../rowwise/rows.ts";

/** Vectors whose mean and squares are taken together, in registers. */
const BLOCK = 4;

const range = (count: number) => Array.from({ length: count }, (_, i) => i);

/** Statements at one step of a row: they say what `name` is, and may write it somewhere. */
export type RowLoad = (name: string, step: string) => { readonly load: string; readonly store?: string };

/** Statements, and the WGSL functions they call. */
interface Moments {
  readonly module: string;
  readonly body: string;
}

/**
 * `rowMean` and `meanSquare` about it, in one reading of the row. Moments of blocks are merged as Chan, Golub & LeVeque 1983
 * do (equation 2.1): no less exact than two readings, far from zero as well.
 */
export function centredMoments(design: RowDesign, width: Width, load: RowLoad): Moments {
  const type = typeOf(width);
  const step = (i: string, count: number) => {
    const names = range(count).map((k) => `v${k}`);
    const loads = names.map((name, k) => load(name, count === 1 ? i : `(${i} + ${k}u)`));
    const within = names.map((name) => `(${name} - mean) * (${name} - mean)`).join(" + ");
    return `{
    ${loads.map((line) => `${line.load}${line.store === undefined ? "" : ` ${storing(design, line.store)}`}`).join("\n    ")}
    let mean = ${count === 1 ? "v0" : `(${names.join(" + ")}) * ${1 / count}`};
    let delta = mean - means;
    let share = ${count}.0 / (seen + ${count}.0);
    squares += ${count === 1 ? "" : `${within} + `}delta * delta * (seen * share);
    means += delta * share;
    seen += ${count}.0;
  }`;
  };
  const loops =
    design.kind === "workgroup"
      ? `
  for (var i = localIndex; i < p.steps; i += ${design.lanes}u) ${step("i", 1)}`
      : `
  for (var i = 0u; i < p.steps / ${BLOCK}u * ${BLOCK}u; i += ${BLOCK}u) ${step("i", BLOCK)}${design.rest ? `
  for (var i = p.steps / ${BLOCK}u * ${BLOCK}u; i < p.steps; i++) ${step("i", 1)}` : ""}`;
  return {
    module: mergeFunction(design),
    body: `
  var means = ${type}(0);
  var squares = ${type}(0);
  var seen = 0.0;
  ${loops}
  let ownMean = ${folded("means", width)} * ${1 / width};
  let apart = means - ownMean;
  let moments = rowMoments(vec3f(ownMean, ${folded("(squares + apart * apart * seen)", width)}, seen * ${width}.0), localIndex);
  let rowMean = moments.x;
  let meanSquare = moments.y * p.inverseFeatures;`,
  };
}

/** `rowMoments` merges (mean, squares about it, count) of all invocations that work on the row. */
function mergeFunction(design: RowDesign): string {
  if (design.kind === "lane") return "fn rowMoments(own: vec3f, localIndex: u32) -> vec3f { return own; }";
  return `
var<workgroup> parts: array<vec3f, ${design.lanes}>;
fn rowMoments(own: vec3f, localIndex: u32) -> vec3f {
  parts[localIndex] = own;
  workgroupBarrier();
  for (var half = ${design.lanes / 2}u; half > 0u; half /= 2u) {
    if (localIndex < half) {
      let a = parts[localIndex];
      let b = parts[localIndex + half];
      let share = b.z / max(a.z + b.z, 1.0);
      let delta = b.x - a.x;
      parts[localIndex] = vec3f(a.x + delta * share, a.y + b.y + delta * delta * (a.z * share), a.z + b.z);
    }
    workgroupBarrier();
  }
  return parts[0];
}`;
}

/** `meanSquare` about zero, in one reading of the row. */
export function plainMoments(design: RowDesign, width: Width, load: RowLoad): Moments {
  const type = typeOf(width);
  const [from, by] = design.kind === "lane" ? ["0u", "1u"] : ["localIndex", `${design.lanes}u`];
  const { load: value, store } = load("value", "i");
  return {
    module: rowTotal(design),
    body: `
  var squares = ${type}(0);
  for (var i = ${from}; i < p.steps; i += ${by}) {
    ${value}${store === undefined ? "" : ` ${storing(design, store)}`}
    squares += value * value;
  }
  let meanSquare = rowTotal(vec2f(${folded("squares", width)}, 0.0), localIndex).x * p.inverseFeatures;`,
  };
}
