import { HeddleError } from "../errors.ts";

/** How a kernel sees one buffer: WGSL element type, and whether it writes. */
export interface KernelBinding {
  /** WGSL type of the whole binding, such as `array<vec4f>`. */
  readonly type: string;
  readonly access: "read" | "read_write";
}

/**
 * A compute shader and the layout of what it binds: storage buffers in order, then one uniform `p` with its
 * parameters. Shapes arrive through `p`, not through the text, so that one pipeline serves every shape.
 */
export interface Kernel {
  /** `matmul/quad/16x8/f32`; also the label of the pipeline. */
  readonly label: string;
  readonly code: string;
  readonly bindings: readonly KernelBinding[];
  /** Parameter names in the uniform's order, with their WGSL type. */
  readonly params: Readonly<Record<string, "u32" | "i32" | "f32">>;
}

export interface KernelSpec {
  label: string;
  /** Name → WGSL type of the read-only buffers, in binding order. */
  reads?: Record<string, string>;
  /** Name → WGSL type of the written buffers, bound after `reads`. */
  writes: Record<string, string>;
  params?: Record<string, "u32" | "i32" | "f32">;
  /** WGSL extensions, such as `subgroups`. */
  enable?: readonly string[];
  /** Functions, structs and constants at module scope. */
  module?: string;
  workgroupSize: readonly [number, number?, number?];
  /**
   * Statements of `main`. In scope: the buffers, `p.<param>`, `workgroup: vec3u`, `local: vec3u`, `localIndex: u32`,
   * `numWorkgroups: vec3u`, and with `linear`, `index: u32`.
   */
  body: string;
  /** True: one invocation per element of `p.count`, whatever the number of workgroups; sets `index` and returns past the end. */
  linear?: boolean;
  /** Extra entry-point parameters, such as `@builtin(subgroup_invocation_id) lane: u32`. */
  builtins?: string;
}

/** Writes the declarations around a kernel's body. */
export function defineKernel(spec: KernelSpec): Kernel {
  const params: Record<string, "u32" | "i32" | "f32"> = { ...(spec.linear ? { count: "u32" as const } : {}), ...spec.params };
  const bindings: KernelBinding[] = [];
  const declarations: string[] = [];
  const bind = (names: Record<string, string>, access: KernelBinding["access"]) => {
    for (const [name, type] of Object.entries(names)) {
      declarations.push(`@group(0) @binding(${bindings.length}) var<storage, ${access}> ${name}: ${type};`);
      bindings.push({ type, access });
    }
  };
  bind(spec.reads ?? {}, "read");
  bind(spec.writes, "read_write");
  if (Object.keys(params).length > 0) {
    const fields = Object.entries(params).map(([name, type]) => `  ${name}: ${type},`);
    declarations.push(`struct Params {\n${fields.join("\n")}\n}`, `@group(0) @binding(${bindings.length}) var<uniform> p: Params;`);
  }
  const [x, y = 1, z = 1] = spec.workgroupSize;
  const builtins = [
    "@builtin(workgroup_id) workgroup: vec3u",
    "@builtin(local_invocation_id) local: vec3u",
    "@builtin(local_invocation_index) localIndex: u32",
    "@builtin(num_workgroups) numWorkgroups: vec3u",
    ...(spec.builtins ? [spec.builtins] : []),
  ];
  const prologue = spec.linear
    ? `  let index = (workgroup.y * numWorkgroups.x + workgroup.x) * ${x * y * z}u + localIndex;\n  if (index >= p.count) { return; }\n`
    : "";
  const code = [
    ...(spec.enable ?? []).map((extension) => `enable ${extension};`),
    ...declarations,
    ...(spec.module ? [spec.module] : []),
    `@compute @workgroup_size(${x}, ${y}, ${z})\nfn main(${builtins.join(", ")}) {\n${prologue}${spec.body}\n}`,
  ].join("\n");
  return { label: spec.label, code, bindings, params };
}

/** Bytes of a kernel's uniform, to the 16 bytes that WGSL rounds a uniform struct to. */
export function paramsByteLength(kernel: Kernel): number {
  return Math.ceil((Object.keys(kernel.params).length * 4) / 16) * 16;
}

/** Writes parameters in the uniform's order. Throws INVALID_ARGUMENT for a missing or unknown name. */
export function packParams(kernel: Kernel, values: Readonly<Record<string, number>>, target: DataView, byteOffset: number): void {
  const names = Object.keys(kernel.params);
  const unknown = Object.keys(values).find((name) => !(name in kernel.params));
  if (unknown !== undefined) throw new HeddleError("INVALID_ARGUMENT", `[${kernel.label}] has no parameter ${unknown}; it has ${names.join(", ")}`);
  names.forEach((name, i) => {
    const value = values[name];
    if (value === undefined) throw new HeddleError("INVALID_ARGUMENT", `[${kernel.label}] needs parameter ${name}`);
    const offset = byteOffset + 4 * i;
    if (kernel.params[name] === "f32") target.setFloat32(offset, value, true);
    else if (kernel.params[name] === "i32") target.setInt32(offset, value, true);
    else target.setUint32(offset, value, true);
  });
}

const MAX_WORKGROUPS_PER_DIMENSION = 65_535;

/** Workgroups for a `linear` kernel: folded into rows where one dimension cannot hold them. */
export function linearWorkgroups(count: number, workgroupSize: number): [number, number, number] {
  const groups = Math.ceil(count / workgroupSize);
  if (groups <= MAX_WORKGROUPS_PER_DIMENSION) return [groups, 1, 1];
  const rows = Math.ceil(groups / MAX_WORKGROUPS_PER_DIMENSION);
  return [Math.ceil(groups / rows), rows, 1];
}
