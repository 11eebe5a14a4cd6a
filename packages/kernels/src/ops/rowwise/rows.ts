import type { AdapterProfile } from "../../device/profile.ts";
import { linearWorkgroups } from "../../program/kernel.ts";

/** Elements that a load moves: 4 where every row begins on a multiple of 4. */
export type Width = 1 | 4;

export const typeOf = (width: Width): string => (width === 4 ? "vec4f" : "f32");

/** Adds the components of a vector of partial sums. */
export const folded = (value: string, width: Width): string => (width === 4 ? `dot(${value}, vec4f(1))` : value);

/** A tensor as rows of its last axis. */
export interface Rows {
  readonly rows: number;
  readonly features: number;
  readonly width: Width;
  /** Loads that a row takes. */
  readonly steps: number;
}

export function rowsOf(shape: readonly number[]): Rows {
  const features = shape.at(-1)!;
  const rows = shape.slice(0, -1).reduce((product, extent) => product * extent, 1);
  const width: Width = features % 4 === 0 ? 4 : 1;
  return { rows, features, width, steps: features / width };
}

/**
 * Who works on a row. `lane`: one invocation, which a CPU wants: neighbouring rows fill its vector registers, and nobody
 * waits. `workgroup`: `lanes` invocations side by side, which a GPU wants: loads are contiguous, and what is read twice comes from the cache.
 */
export type RowDesign =
  | {
      readonly kind: "lane";
      /** `quad`: four neighbours share what is the same in every row (a norm's weights): each loads a quarter and hands it round. */
      readonly share: "quad" | "none";
      /** False: rows are a multiple of four steps, and their loops by fours need no rest; a CPU compiles it as long as all else. */
      readonly rest: boolean;
    }
  | { readonly kind: "workgroup"; readonly lanes: 32 | 64 | 256 };

export function chooseRowDesign(adapter: Pick<AdapterProfile, "kind" | "features">, steps: number): RowDesign {
  if (adapter.kind === "software") return { kind: "lane", share: adapter.features.has("subgroups") ? "quad" : "none", rest: steps % 4 !== 0 };
  return { kind: "workgroup", lanes: steps <= 64 ? 32 : steps <= 1024 ? 64 : 256 };
}

/** As `chooseRowDesign`, for kernels in which rows have nothing to share, or whose text would grow too much by it. */
export function choosePlainRowDesign(adapter: Pick<AdapterProfile, "kind" | "features">, steps: number): RowDesign {
  const design = chooseRowDesign(adapter, steps);
  return design.kind === "lane" ? { ...design, share: "none" } : design;
}

/** Small, so that a few hundred rows still keep every core of a CPU busy. */
const LANE_WORKGROUP = 8;

export const rowWorkgroupSize = (design: RowDesign): number => (design.kind === "lane" ? LANE_WORKGROUP : design.lanes);

export function rowWorkgroups(design: RowDesign, rows: number): [number, number, number] {
  return linearWorkgroups(rows, design.kind === "lane" ? LANE_WORKGROUP : 1);
}

/**
 * Statements that give an invocation its row: `row`, and `begin`, where the row starts. Lanes past the last row
 * repeat it and store nothing, because quads have to stay whole; see `storing`.
 */
export function rowOfInvocation(design: RowDesign): string {
  if (design.kind === "lane") {
    return `
  let id = (workgroup.y * numWorkgroups.x + workgroup.x) * ${LANE_WORKGROUP}u + localIndex;
  let stores = id < p.rows;
  let row = min(id, p.rows - 1u);
  let begin = row * p.steps;`;
  }
  return `
  let row = workgroup.y * numWorkgroups.x + workgroup.x;
  if (row >= p.rows) { return; }
  let begin = row * p.steps;`;
}

/** A write to the elements of an invocation. */
export const storing = (design: RowDesign, statement: string) => (design.kind === "lane" ? `if (stores) { ${statement} }` : statement);

/** A write of what the whole row has once. */
export const storingOnce = (design: RowDesign, statement: string) => `if (${design.kind === "lane" ? "stores" : "localIndex == 0u"}) { ${statement} }`;

/** What a loop does at one step of a row. */
export interface RowStep {
  readonly compute: string;
  /** Writes, made where the invocation may. */
  readonly store?: string;
}

/**
 * A loop over the row's steps.
 *
 * @param shared buffers of [steps] that are the same for every row
 * @param body told the WGSL name of the step, and how to spell the value of a shared buffer there
 * @param unroll steps in a turn of a lane's own loop: more where a step is little work
 */
export function rowLoop(design: RowDesign, shared: readonly string[], body: (step: string, valueOf: (buffer: string) => string) => RowStep, unroll = 1): string {
  const spell = ({ compute, store }: RowStep) => `{ ${compute} ${store === undefined ? "" : storing(design, store)} }`;
  const single = spell(body("i", (buffer) => `${buffer}[i]`));
  if (design.kind === "workgroup") {
    return `
  for (var i = localIndex; i < p.steps; i += ${design.lanes}u) ${single}`;
  }
  const rest = (by: number) => (design.rest ? `
  for (var i = p.steps / ${by}u * ${by}u; i < p.steps; i++) ${single}` : "");
  if (design.share === "none") {
    if (unroll === 1) return `
  for (var i = 0u; i < p.steps; i++) ${single}`;
    const turns = Array.from({ length: unroll }, (_, k) => ((at) => spell(body(at, (buffer) => `${buffer}[${at}]`)))(`(i + ${k}u)`));
    return `
  for (var i = 0u; i < p.steps / ${unroll}u * ${unroll}u; i += ${unroll}u) {
    ${turns.join("\n    ")}
  }${rest(unroll)}`;
  }
  const turn = (i: number) => spell(body(`(i + ${i}u)`, (buffer) => `quadBroadcast(${buffer}Quarter, ${i}u)`));
  return `
  for (var i = 0u; i < p.steps / 4u * 4u; i += 4u) {
    ${shared.map((buffer) => `let ${buffer}Quarter = ${buffer}[i + (lane & 3u)];`).join(" ")}
    ${[0, 1, 2, 3].map(turn).join("\n    ")}
  }${rest(4)}`;
}

/** Entry-point facts that the design's statements use. */
export const rowBuiltins = (design: RowDesign) => (design.kind === "lane" && design.share === "quad" ? { enable: ["subgroups"], builtins: "@builtin(subgroup_invocation_id) lane: u32" } : {});

/**
 * Adds `value`, a vec2f of each invocation, over all that work on the row: a WGSL function `rowTotal(value, localIndex)`.
 * In a tree, so that the order is the same in every run.
 */
export function rowTotal(design: RowDesign): string {
  if (design.kind === "lane") return "fn rowTotal(value: vec2f, localIndex: u32) -> vec2f { return value; }";
  return `
var<workgroup> totals: array<vec2f, ${design.lanes}>;
fn rowTotal(value: vec2f, localIndex: u32) -> vec2f {
  totals[localIndex] = value;
  workgroupBarrier();
  for (var half = ${design.lanes / 2}u; half > 0u; half /= 2u) {
    if (localIndex < half) { totals[localIndex] += totals[localIndex + half]; }
    workgroupBarrier();
  }
  return totals[0];
}`;
}
