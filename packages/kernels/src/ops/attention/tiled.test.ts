import { afterAll, describe, expect, it } from "vitest";
import type { Gpu } from "../../device/gpu.ts";
import { hostTensor } from "../../program/compile.ts";
import type { Designs } from "../../program/design.ts";
import type { TracedFunction } from "../../program/trace.ts";
import { checkWithGradients, randomTensor } from "../../testing/check.ts";
import { testDevice } from "../../testing/devices.ts";
import { WebGpuDevice } from "../../webgpu/device.ts";
import { rotaryTable } from "../rotary/table.ts";
import { attentionDesigns, attentionGradientDesigns } from "./choose.ts";
import { attention, type AttentionAttributes, type AttentionOptions } from "./op.ts";
import { tileBytes, type ScoreTile } from "./tiles.wgsl.ts";

const { gpu } = (await testDevice()) as WebGpuDevice;
/** As small as it can be: drivers of CPUs take minutes for the text of a large one. */
const tile: ScoreTile = { lanes: [4, 2], rows: 2, columns: 4 };
const designs: Designs = { of: ({ op }) => (op.name === "attention" ? { name: "tiles", tile } : { name: "tiles", queries: tile, keys: tile }) };
const device = new WebGpuDevice(Object.create(gpu, { profile: { value: gpu.profile } }) as Gpu, { designs });
afterAll(() => device.workspace.release(device));

describe.runIf(gpu.profile.subgroupMinSize >= 4)("attention in tiles of scores", () => {
  it.each<[string, { queries: number; keys: number; headDim: number; turned?: number; biased?: boolean; masked?: boolean; drops?: boolean }, AttentionOptions]>([
    ["causal, turned, padded, in a window, heads that share keys", { queries: 7, keys: 21, headDim: 16, turned: 16, masked: true }, { causal: true, window: 9 }],
    ["with a bias and a soft cap", { queries: 5, keys: 3, headDim: 12, biased: true }, { softCap: 3 }],
    ["with dropout, causal", { queries: 9, keys: 9, headDim: 8, drops: true }, { causal: true }],
  ])("is the reference, forward and backward: %s", async (_, { queries, keys, headDim, turned, biased, masked, drops }, options) => {
    const inputs = {
      q: randomTensor([2, queries, 2, headDim], 1, 2),
      k: randomTensor([2, keys, 1, headDim], 2, 2),
      v: randomTensor([2, keys, 1, headDim], 3),
      ...(masked && { mask: { shape: [2, keys], data: Float32Array.from({ length: 2 * keys }, (_, i) => (i % 5 === 2 || i > 2 * keys - 4 ? 0 : 1)) } }),
      ...(turned && { table: rotaryTable({ length: keys, dims: turned }) }),
      ...(biased && { bias: randomTensor([1, 2, queries, keys], 4) }),
      ...(drops && { key: hostTensor(Uint32Array.of(7), []) }),
    };
    const fn: TracedFunction = ({ q, k, v, mask, table, bias, key }) => ({ y: attention(q!, k!, v!, { ...options, ...(mask && { mask }), ...(table && { rotary: { table } }), ...(bias && { bias }), ...(key && { dropout: { probability: 0.4, key } }) }) });
    await checkWithGradients(device, fn, inputs, ["q", "k", "v", ...(biased ? ["bias"] : [])]);
    expect(device.traffic.dispatches).toBeGreaterThan(0);
  });
});

describe("attentionDesigns", () => {
  const part = { offset: 0, row: 64, step: 64 };
  const attributes: AttentionAttributes = { joined: "none", heads: 1, keyHeads: 1, headDim: 64, parts: { q: part, k: part, v: part }, scale: 1, reach: { before: null, after: 0 }, softCap: null, keys: false, rotary: null, bias: false, dropout: null };
  const adapter = { kind: "discrete" as const, features: new Set(["subgroups"]), subgroupMinSize: 32, maxComputeWorkgroupStorageSize: 49152, maxComputeInvocationsPerWorkgroup: 1024 };

  it("are tiles on a discrete GPU, larger ones where there is work for all of it", () => {
    const [many] = attentionDesigns(adapter, attributes, { count: 2048, parts: 128 });
    const [few] = attentionDesigns(adapter, attributes, { count: 64, parts: 48 });
    expect(many!.tile!.rows * many!.tile!.lanes[1]).toBeGreaterThan(few!.tile!.rows * few!.tile!.lanes[1]);
    const all = attentionGradientDesigns(adapter, attributes, { count: 2048, parts: 128 }, { count: 2048, parts: 128 });
    expect(all.every(({ queries, keys }) => (queries === null || tileBytes("queries", { headDim: 64, tile: queries }) <= 49152) && (keys === null || tileBytes("keys", { headDim: 64, tile: keys }) <= 49152))).toBe(true);
  });

  it("are rows elsewhere: on software adapters, in decoding, without subgroups, memory or whole vec4s", () => {
    const names = (facts: Partial<typeof adapter> | { kind: "software" }, changed: Partial<AttentionAttributes> = {}, count = 100) => attentionDesigns({ ...adapter, ...facts }, { ...attributes, ...changed }, { count, parts: 4 }).map(({ name }) => name);
    for (const some of [names({ kind: "software" }), names({}, {}, 1), names({ features: new Set<string>() }), names({ maxComputeWorkgroupStorageSize: 16384 }), names({}, { headDim: 66 })]) expect(some).toEqual(["rows"]);
    expect(names({}).length).toBeGreaterThan(3);
  });
});
