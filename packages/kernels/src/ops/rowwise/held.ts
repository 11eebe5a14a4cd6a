import type { AdapterProfile } from "../../device/profile.ts";
import { typeOf, type Width } from "./rows.ts";

/**
 * `lanes` invocations side by side hold a whole row in registers, `perLane` loads each: all of them are under way at once, and the
 * row is read from memory once. For discrete GPUs.
 */
export interface HeldRow {
  readonly kind: "held";
  readonly lanes: 32 | 64 | 128 | 256;
  readonly perLane: number;
  /** Neighbours that join what they have by shuffles: a power of two, no more than run together. */
  readonly group: number;
}

/** Loads of 16 bytes that a lane has under way at best, and the most that it has registers for. */
const WANTED_PER_LANE = 4;
const MAX_PER_LANE = 8;
const MAX_GROUP = 32;

/** Null where the adapter is another, or the row is too long. */
export function chooseHeldRow({ kind, features, subgroupMinSize }: Pick<AdapterProfile, "kind" | "features" | "subgroupMinSize">, steps: number): HeldRow | null {
  if (kind !== "discrete" || !features.has("subgroups") || subgroupMinSize < 4) return null;
  const lanes = ([32, 64, 128] as const).find((count) => steps <= WANTED_PER_LANE * count) ?? 256;
  const perLane = Math.ceil(steps / lanes);
  return perLane >= 1 && perLane <= MAX_PER_LANE ? { kind: "held", lanes, perLane, group: 2 ** Math.floor(Math.log2(Math.min(subgroupMinSize, MAX_GROUP))) } : null;
}

/** Names of what a lane holds: 0, 1, …; it is the row's if `whole`, or guarded by `step${k} < p.steps`. */
export const heldSteps = ({ perLane }: HeldRow): number[] => Array.from({ length: perLane }, (_, k) => k);

/** Statements: `row`, `begin`, where it starts, and `step${k}`, where this lane's loads are. */
export const heldSetup = (design: HeldRow): string => `
  let row = workgroup.y * numWorkgroups.x + workgroup.x;
  if (row >= p.rows) { return; }
  let begin = row * p.steps;
  ${heldSteps(design).map((k) => `let step${k} = localIndex + ${k * design.lanes}u;`).join(" ")}`;

/** Statements: `${name}${k}`, loads that are the row's, and `otherwise` past its end. `value` spells a load at a step. */
export const heldLoad = (design: HeldRow, name: string, width: Width, value: (step: string) => string, otherwise = "0"): string =>
  heldSteps(design).map((k) => `var ${name}${k} = ${typeOf(width)}(${otherwise}); if (step${k} < p.steps) { ${name}${k} = ${value(`step${k}`)}; }`).join("\n  ");

/** Statements for each step of the row that this lane has. */
export const heldEach = (design: HeldRow, statement: (k: number, step: string) => string): string => heldSteps(design).map((k) => `if (step${k} < p.steps) { ${statement(k, `step${k}`)} }`).join("\n  ");

/**
 * A WGSL function `name(value, localIndex)` that joins what all lanes of the row have, in an order that is the same in every run.
 *
 * @param type of the value, f32 or vec2f
 */
export function heldJoin({ lanes, group }: HeldRow, name: string, type: "f32" | "vec2f", join: (a: string, b: string) => string): string {
  const shuffles = Array.from({ length: Math.log2(group) }, (_, i) => `  value = ${join("value", `subgroupShuffleXor(value, ${2 ** i}u)`)};`);
  const groups = lanes / group;
  if (groups === 1) return `\nfn ${name}(own: ${type}, localIndex: u32) -> ${type} {\n  var value = own;\n${shuffles.join("\n")}\n  return value;\n}`;
  return `
var<workgroup> ${name}Parts: array<${type}, ${groups}>;
fn ${name}(own: ${type}, localIndex: u32) -> ${type} {
  var value = own;
${shuffles.join("\n")}
  if (localIndex % ${group}u == 0u) { ${name}Parts[localIndex / ${group}u] = value; }
  workgroupBarrier();
  value = ${name}Parts[0];
  for (var i = 1u; i < ${groups}u; i++) { value = ${join("value", `${name}Parts[i]`)}; }
  return value;
}`;
}
