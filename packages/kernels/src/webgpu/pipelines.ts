import type { Gpu } from "../device/gpu.ts";
import type { Kernel } from "../program/kernel.ts";

export interface Pipeline {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** One pipeline per shader text, shared by all plans of a device; builds in flight are shared too. */
export class PipelineCache {
  private readonly pipelines = new Map<string, Promise<Pipeline>>();
  private readonly layouts = new Map<string, GPUBindGroupLayout>();

  constructor(private readonly gpu: Gpu) {}

  get(kernel: Kernel): Promise<Pipeline> {
    let pipeline = this.pipelines.get(kernel.code);
    if (!pipeline) {
      pipeline = this.build(kernel);
      this.pipelines.set(kernel.code, pipeline);
      pipeline.catch(() => this.pipelines.delete(kernel.code));
    }
    return pipeline;
  }

  private async build(kernel: Kernel): Promise<Pipeline> {
    const { device } = this.gpu;
    const layout = this.layoutOf(kernel);
    const pipeline = await this.gpu.withErrorScope(kernel.label, async () => {
      const module = device.createShaderModule({ label: kernel.label, code: kernel.code });
      return device.createComputePipelineAsync({
        label: kernel.label,
        layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
        compute: { module, entryPoint: "main" },
      });
    });
    return { pipeline, layout };
  }

  private layoutOf(kernel: Kernel): GPUBindGroupLayout {
    const hasParams = Object.keys(kernel.params).length > 0;
    const types: GPUBufferBindingType[] = kernel.bindings.map(({ access }) => (access === "read" ? "read-only-storage" : "storage"));
    if (hasParams) types.push("uniform");
    const key = types.join();
    const known = this.layouts.get(key);
    if (known) return known;
    const layout = this.gpu.device.createBindGroupLayout({
      label: key,
      // 4 is GPUShaderStage.COMPUTE; Node has no such global.
      entries: types.map((type, binding) => ({ binding, visibility: 4, buffer: { type } })),
    });
    this.layouts.set(key, layout);
    return layout;
  }
}
