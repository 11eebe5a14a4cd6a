/** A kernel whose rate is a ceiling: it does one thing and nothing else. */
export interface CeilingKernel {
  readonly label: string;
  readonly code: string;
  /** Lengths of the f32 buffers it binds. */
  readonly elements: readonly number[];
  readonly workgroups: number;
  /** Operations or bytes of one turn. */
  readonly unitsPerTurn: number;
  /** How it is repeated: turns of a loop in the kernel, their number in a uniform bound last, or whole dispatches. */
  readonly turns: "loop" | "dispatches";
}

const WORKGROUP_SIZE = 64;

export const MULTIPLY_ADD = multiplyAdd();

function multiplyAdd(): CeilingKernel {
  // Enough invocations to fill a large GPU.
  const workgroups = 4096;
  // Chains that do not wait for each other, of four lanes each: enough to hide an adder's latency, and no more than 16 registers.
  const chains = 3;
  // Software adapters pay dearly for a turn of a loop.
  const [perTurn, unroll] = [8, 16];
  const each = (line: (i: number) => string) => Array.from({ length: chains }, (_, i) => line(i)).join("\n");
  // Not `fma`: software adapters compute that exactly, twenty times slower than a multiplication and an addition.
  const step = each((i) => `    x${i} = x${i} * a + b;`);
  const code = `
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<uniform> turns: vec4u;
@compute @workgroup_size(${WORKGROUP_SIZE})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let seed = f32(id.x) * 0.000001;
  let a = vec4f(0.999 + seed * 0.000001);
  let b = vec4f(0.001);
${each((i) => `  var x${i} = vec4f(seed + ${i}.0);`)}
  for (var i = 0u; i < ${perTurn}u * turns.x; i++) {
${Array<string>(unroll).fill(step).join("\n")}
  }
  y[id.x] = dot(${Array.from({ length: chains }, (_, i) => `x${i}`).join(" + ")}, vec4f(1.0));
}`;
  return { label: "ceiling/multiply-add/f32", code, elements: [workgroups * WORKGROUP_SIZE], workgroups, unitsPerTurn: workgroups * WORKGROUP_SIZE * perTurn * unroll * chains * 4 * 2, turns: "loop" };
}

/** Reads `bytes`, a multiple of 4 KiB below 256 MiB, and writes as many. */
export function copy(bytes: number): CeilingKernel {
  // Loads that do not wait for each other, a workgroup's neighbours in memory.
  const perInvocation = 4;
  const workgroups = bytes / 16 / perInvocation / WORKGROUP_SIZE;
  const code = `
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@compute @workgroup_size(${WORKGROUP_SIZE})
fn main(@builtin(workgroup_id) workgroup: vec3u, @builtin(local_invocation_index) local: u32) {
  let first = workgroup.x * ${WORKGROUP_SIZE * perInvocation}u + local;
${Array.from({ length: perInvocation }, (_, i) => `  let v${i} = x[first + ${i * WORKGROUP_SIZE}u];`).join("\n")}
${Array.from({ length: perInvocation }, (_, i) => `  y[first + ${i * WORKGROUP_SIZE}u] = v${i};`).join("\n")}
}`;
  return { label: "ceiling/copy/f32", code, elements: [bytes / 4, bytes / 4], workgroups, unitsPerTurn: 2 * bytes, turns: "dispatches" };
}
