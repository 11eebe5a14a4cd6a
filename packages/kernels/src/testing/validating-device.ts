import { Gpu } from "../device/gpu.ts";
import type { Executable, PrepareOptions } from "../device/device.ts";
import { designsOf, type Design, type Designs, type Site } from "../program/design.ts";
import type { Kernel } from "../program/kernel.ts";
import { plan, type Plan } from "../program/plan.ts";
import type { Program } from "../program/program.ts";
import { storageBytes, type TensorType } from "../program/types.ts";
import { ReferenceDevice } from "../reference/device.ts";
import { PipelineCache } from "../webgpu/pipelines.ts";
import { nullBackend } from "./null-backend.ts";

/** Adapters of each class, as they describe themselves. */
const ADAPTERS: Readonly<Record<string, AdapterTemplate>> = {
  nvidia: { info: { vendor: "nvidia", architecture: "ampere", description: "NVIDIA GeForce RTX 3080" }, subgroups: [32, 32], features: ["shader-f16", "timestamp-query"] },
  nvidiaWithMatrices: {
    info: { vendor: "nvidia", architecture: "hopper", description: "NVIDIA H100", subgroupMatrixConfigs: [{ componentType: "f16", resultComponentType: "f32", M: 16, N: 16, K: 16 }] },
    subgroups: [32, 32],
    features: ["shader-f16", "chromium-experimental-subgroup-matrix" as GPUFeatureName],
  },
  amd: { info: { vendor: "amd", architecture: "rdna-3", description: "AMD Radeon RX 7900 XTX" }, subgroups: [32, 64], features: ["shader-f16"] },
  apple: { info: { vendor: "apple", architecture: "common-3", description: "Apple M2" }, subgroups: [4, 64], features: ["shader-f16"] },
  intel: { info: { vendor: "intel", architecture: "gen-12lp", description: "Intel(R) Iris(R) Xe Graphics" }, subgroups: [8, 32], features: [] },
  adreno: { info: { vendor: "qualcomm", architecture: "adreno-7xx", description: "Adreno (TM) 740" }, subgroups: null, features: [] },
  unknown: { info: { vendor: "", architecture: "", description: "" }, subgroups: null, features: [] },
  lavapipe: { info: { vendor: "mesa", architecture: "", description: "llvmpipe (LLVM 19.1.7, 256 bits)" }, subgroups: [8, 8], features: ["shader-f16"] },
  swiftshader: { info: { vendor: "google", architecture: "swiftshader", description: "SwiftShader Device" }, subgroups: [4, 4], features: [] },
  swiftshaderWithoutSubgroups: { info: { vendor: "google", architecture: "swiftshader", description: "SwiftShader Device" }, subgroups: null, features: [] },
};

interface AdapterTemplate {
  readonly info: { readonly vendor: string; readonly architecture: string; readonly description: string; readonly subgroupMatrixConfigs?: readonly object[] };
  /** Smallest and largest size; null where there are none. */
  readonly subgroups: readonly [number, number] | null;
  /** Beside subgroups. */
  readonly features: readonly GPUFeatureName[];
}

const MAX_WORKGROUPS_PER_DIMENSION = 65_535;

/**
 * Computes with the reference interpreter, and has every program planned for adapters of each class, by each of its ops' designs,
 * and the kernels checked by Dawn's null backend, which has every feature and no GPU: their WGSL, their bindings, and the
 * specification's default limits, which are all the limits that it has.
 */
export class ValidatingDevice extends ReferenceDevice {
  /** Labels of all kernels seen. */
  readonly kernels = new Set<string>();
  /** Feature sets with which each text was compiled: with more of them it compiles as well. */
  private readonly compiled = new Map<string, ReadonlySet<string>[]>();
  /** Nodes whose every design was planned for an adapter; of others that differ from them in size alone the default is enough. */
  private readonly tried = new Set<string>();
  private readonly targets: { readonly name: string; readonly gpu: Gpu; readonly pipelines: PipelineCache }[] = [];

  private constructor() {
    super("f32");
  }

  static async open(): Promise<ValidatingDevice> {
    const instance = await nullBackend();
    const device = new ValidatingDevice();
    for (const [name, { info, subgroups, features }] of Object.entries(ADAPTERS)) {
      const adapter = (await instance.requestAdapter())!;
      const gpuDevice = await adapter.requestDevice({ requiredFeatures: [...features, ...(subgroups ? (["subgroups"] as const) : [])] });
      const [subgroupMinSize, subgroupMaxSize] = subgroups ?? [0, 0];
      const gpu = new Gpu(gpuDevice, { ...info, device: "", subgroupMinSize, subgroupMaxSize, isFallbackAdapter: false } as unknown as GPUAdapterInfo, "Dawn's null backend", () => gpuDevice.destroy());
      device.targets.push({ name, gpu, pipelines: new PipelineCache(gpu) });
    }
    return device;
  }

  override prepare(program: Program, options?: PrepareOptions): Executable {
    const executable = super.prepare(program, options);
    const validated = this.validate(program);
    validated.catch(() => {});
    return {
      ...executable,
      warmup: () => validated,
      run: async (...args) => {
        await validated;
        return executable.run(...args);
      },
    };
  }

  override dispose(): void {
    for (const { gpu } of this.targets) gpu.dispose();
  }

  private async validate(program: Program): Promise<void> {
    await Promise.all(
      this.targets.map(async ({ name, gpu, pipelines }) => {
        for (const made of this.plansOf(program, name, gpu)) {
          checkDispatches(made, name);
          await Promise.all(made.commands.map((command) => command.kind === "dispatch" && this.isNew(command.kernel, gpu) && pipelines.get(command.kernel)));
        }
      }),
    );
  }

  private isNew({ code, label }: Kernel, { profile }: Gpu): boolean {
    this.kernels.add(label);
    const known = this.compiled.get(code) ?? [];
    if (known.some((features) => [...features].every((feature) => profile.features.has(feature)))) return false;
    this.compiled.set(code, [...known, profile.features]);
    return true;
  }

  /** By every op's first design, then, where a node is of a new kind, by every op's second one, and so on. */
  private plansOf(program: Program, adapterName: string, { profile }: Gpu): Plan[] {
    let most = 1;
    const nth = (i: number): Designs => ({
      of(site, adapter) {
        const designs = designsOf(site, adapter);
        if (i === 0 && isNewKind(site, designs)) most = Math.max(most, designs.length);
        return designs[Math.min(i, designs.length - 1)]!;
      },
    });
    const isNewKind = (site: Site, designs: readonly Design[]) => {
      const size = this.tried.size;
      return this.tried.add(`${adapterName} ${kindOf(site)} ${designs.map(({ name }) => name.replace(/\/split\d+/, "")).join()}`).size > size;
    };
    const plans = [plan(program, profile, undefined, nth(0))];
    for (let i = 1; i < most; i++) plans.push(plan(program, profile, undefined, nth(i)));
    return plans;
  }
}

/** What the texts of all designs may depend on: flags, dtypes and what can be read in fours. Activations are one design's matter. */
function kindOf({ op, inputs, attributes }: Site): string {
  const layout = ({ dtype, shape }: TensorType) => `${dtype}${shape.slice(-2).map((extent) => (extent % 4 === 0 ? "v" : "s")).join("")}`;
  return `${op.name} ${JSON.stringify(Object.entries(attributes).filter(([, value]) => typeof value === "boolean"))} ${inputs.map(layout).join()}`;
}

function checkDispatches({ commands, storages }: Plan, adapter: string): void {
  for (const command of commands) {
    if (command.kind !== "dispatch") continue;
    const { kernel, buffers, workgroups } = command;
    const wrong = (what: string) => new Error(`[${kernel.label}] for ${adapter}: ${what}`);
    if (workgroups.some((count) => !Number.isInteger(count) || count < 1 || count > MAX_WORKGROUPS_PER_DIMENSION)) throw wrong(`dispatches ${workgroups.join(" × ")} workgroups`);
    if (buffers.length !== kernel.bindings.length) throw wrong(`binds ${buffers.length} buffers, its text has ${kernel.bindings.length}`);
    for (const { storage, type, offsetBytes = 0 } of buffers) {
      if (offsetBytes + storageBytes(type) > storages[storage]!.bytes) throw wrong(`binds past the end of a buffer`);
    }
  }
}
