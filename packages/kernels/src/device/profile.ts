/** What kernels choose by: the class of adapter, its features and its limits. */
export interface AdapterProfile {
  /** `software`: SwiftShader or llvmpipe; the CPU runs the shaders. */
  readonly kind: "software" | "integrated" | "discrete" | "unknown";
  readonly vendor: string;
  readonly architecture: string;
  readonly description: string;
  readonly features: ReadonlySet<string>;
  /** 0 where the adapter has no subgroups. */
  readonly subgroupMinSize: number;
  readonly subgroupMaxSize: number;
  readonly maxStorageBufferBindingSize: number;
  readonly maxBufferSize: number;
  readonly maxStorageBuffersPerShaderStage: number;
  readonly maxComputeWorkgroupStorageSize: number;
  readonly maxComputeInvocationsPerWorkgroup: number;
  readonly minStorageBufferOffsetAlignment: number;
  readonly minUniformBufferOffsetAlignment: number;
}
