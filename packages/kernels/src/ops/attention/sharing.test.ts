import { afterAll, describe, expect, it } from "vitest";
import type { Gpu } from "../../device/gpu.ts";
import type { AdapterProfile } from "../../device/profile.ts";
import type { TracedFunction } from "../../program/trace.ts";
import { checkWithGradients, randomTensor } from "../../testing/check.ts";
import { testDevice } from "../../testing/devices.ts";
import { WebGpuDevice } from "../../webgpu/device.ts";
import { rotaryTable } from "../rotary/table.ts";
import { attention } from "./op.ts";

const { gpu } = (await testDevice()) as WebGpuDevice;
const subgroups = new Set(["subgroups"]);

/** This machine's adapter, as if it were of another class. */
const profiles: [string, Partial<AdapterProfile>][] = [
  ["a GPU: tiles in workgroup memory", { kind: "integrated", features: subgroups, subgroupMinSize: 4, subgroupMaxSize: 128 }],
  ["a GPU without subgroups", { kind: "integrated", features: new Set() }],
  ["a CPU whose subgroups are quads at least", { kind: "software", features: subgroups, subgroupMinSize: 4, subgroupMaxSize: 16 }],
  ["a CPU without subgroups", { kind: "software", features: new Set() }],
  ["eight storage buffers", { maxStorageBuffersPerShaderStage: 8 }],
];

describe.each(profiles)("attention on %s", (_, changes) => {
  const device = new WebGpuDevice(Object.create(gpu, { profile: { value: { ...gpu.profile, ...changes } } }) as Gpu);
  afterAll(() => device.workspace.release(device));

  it.each([
    { queries: 37, keys: 70, headDim: 40, causal: true, window: 50, turned: 32 },
    { queries: 9, keys: 3, headDim: 7, causal: false, window: 50 },
    { queries: 1, keys: 600, headDim: 40, causal: true, window: 500 },
  ])("is the reference, forward and backward, %o", async ({ queries, keys, headDim, causal, window, turned }) => {
    const inputs = {
      q: randomTensor([2, queries, 2, headDim], 1, 2),
      k: randomTensor([2, keys, 1, headDim], 2, 2),
      v: randomTensor([2, keys, 1, headDim], 3),
      mask: { shape: [2, keys], data: Float32Array.from({ length: 2 * keys }, (_, i) => (i % 5 === 2 ? 0 : 1)) },
      ...(turned ? { table: rotaryTable({ length: keys, dims: turned }) } : { bias: randomTensor([1, 2, queries, keys], 4) }),
    };
    const fn: TracedFunction = ({ q, k, v, mask, table, bias }) => ({ y: attention(q!, k!, v!, { causal, window, mask: mask!, ...(table ? { rotary: { table } } : { bias: bias! }) }) });
    await checkWithGradients(device, fn, inputs, ["q", "k", "v", ...(turned ? [] : ["bias"])]);
    expect(device.traffic.dispatches).toBeGreaterThan(0);
  });
});
