import { BufferUsage } from "../memory/usage.ts";
import type { Gpu } from "./gpu.ts";
import { politely } from "./polite-wait.ts";

const WORKGROUP_SIZE = 64;
/** Enough invocations to fill a large GPU. */
const WORKGROUPS = 4096;
/** Chains that do not wait for each other, of four lanes each: enough to hide an adder's latency, and no more than 16 registers. */
const CHAINS = 3;
/** Software adapters pay dearly for a turn of a loop. */
const UNROLL = 16;
const FLOPS_PER_ITERATION = WORKGROUPS * WORKGROUP_SIZE * CHAINS * UNROLL * 4 * 2;
const FIRST_ITERATIONS = 2;
/** Long enough to time; a software adapter gets there at once, a large GPU after some doublings. */
const TARGET_MS = 60;
const REPEATS = 3;
const BUDGET_MS = 700;

// Not `fma`: software adapters compute that exactly, twenty times slower than a multiplication and an addition.
const chain = (line: (i: number) => string) => Array.from({ length: CHAINS }, (_, i) => line(i)).join("\n");

const code = `
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<uniform> iterations: vec4u;
@compute @workgroup_size(${WORKGROUP_SIZE})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let seed = f32(id.x) * 0.000001;
  let a = vec4f(0.999 + seed * 0.000001);
  let b = vec4f(0.001);
${chain((i) => `  var x${i} = vec4f(seed + ${i}.0);`)}
  for (var i = 0u; i < iterations.x; i++) {
${Array<string>(UNROLL).fill(chain((i) => `    x${i} = x${i} * a + b;`)).join("\n")}
  }
  y[id.x] = dot(${Array.from({ length: CHAINS }, (_, i) => `x${i}`).join(" + ")}, vec4f(1.0));
}`;

/**
 * The most f32 multiply-adds a second that this adapter does, in GFLOP/s, one multiply-add being two: the ceiling that
 * kernels are held against. Takes less than a second once its kernel is compiled.
 *
 * @param budgetMs for repetitions; the shorter, the rougher
 */
export async function measureCeiling(gpu: Gpu, budgetMs = BUDGET_MS): Promise<number> {
  const { device } = gpu;
  const scope = gpu.pool.scope();
  try {
    const label = "ceiling/multiply-add/f32";
    const y = scope.allocate(`${label}/y`, WORKGROUPS * WORKGROUP_SIZE * 4, BufferUsage.STORAGE);
    const iterationsBuffer = scope.allocate(`${label}/iterations`, 16, BufferUsage.UNIFORM | BufferUsage.COPY_DST);
    const pipeline = await gpu.withErrorScope(label, () =>
      device.createComputePipelineAsync({ label, layout: "auto", compute: { module: device.createShaderModule({ label, code }), entryPoint: "main" } }),
    );
    const bindGroup = device.createBindGroup({ label, layout: pipeline.getBindGroupLayout(0), entries: [y, iterationsBuffer].map(({ buffer }, binding) => ({ binding, resource: { buffer } })) });
    const time = async (iterations: number, expectedMs: number) => {
      device.queue.writeBuffer(iterationsBuffer.buffer, 0, new Uint32Array([iterations, 0, 0, 0]));
      const encoder = device.createCommandEncoder({ label });
      const pass = encoder.beginComputePass({ label });
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, bindGroup);
      pass.dispatchWorkgroups(WORKGROUPS);
      pass.end();
      const startMs = performance.now();
      device.queue.submit([encoder.finish()]);
      await politely(gpu.profile, expectedMs);
      await gpu.guardLost(device.queue.onSubmittedWorkDone());
      return performance.now() - startMs;
    };
    // Drivers compile at the first dispatch.
    await time(1, 0);
    const deadlineMs = performance.now() + budgetMs;
    let iterations = FIRST_ITERATIONS;
    let elapsedMs = await time(iterations, 0);
    while (elapsedMs < TARGET_MS / 2 && performance.now() < deadlineMs) {
      iterations *= Math.min(16, Math.max(2, Math.floor(TARGET_MS / elapsedMs)));
      elapsedMs = await time(iterations, 0);
    }
    let best = elapsedMs;
    for (let i = 0; i < REPEATS && performance.now() + best < deadlineMs; i++) best = Math.min(best, await time(iterations, best));
    return (iterations * FLOPS_PER_ITERATION) / best / 1e6;
  } finally {
    scope.dispose();
  }
}
