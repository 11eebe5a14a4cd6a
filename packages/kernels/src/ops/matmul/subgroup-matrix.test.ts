import { afterAll, describe, expect, it } from "vitest";
import { nullBackend } from "../../testing/null-backend.ts";
import { NO_EPILOGUE } from "./epilogue.wgsl.ts";
import { subgroupMatrixBytes, subgroupMatrixKernel, type SubgroupMatrixTile } from "./subgroup-matrix.wgsl.ts";

// No adapter of this machine has matrix units: Dawn's null backend reads the text. The large tile needs more workgroup memory
// than its devices have, so that its module alone is made; `ops.valid.test.ts` makes whole pipelines of the small one.
const adapter = (await (await nullBackend()).requestAdapter())!;
const device = await adapter.requestDevice({ requiredFeatures: ["shader-f16", "subgroups", "chromium-experimental-subgroup-matrix"] as GPUFeatureName[] });
afterAll(() => device.destroy());

const tile = (extent: number): SubgroupMatrixTile => ({ tileRows: extent, tileColumns: extent, depth: 32, subgroupSize: 32 });

async function messages(code: string): Promise<string[]> {
  device.pushErrorScope("validation");
  const info = await device.createShaderModule({ code }).getCompilationInfo();
  await device.popErrorScope();
  return info.messages.map(({ message }) => message);
}

describe("subgroup matrices", () => {
  it.each([64, 128])("are valid WGSL as tiles of %i, with every format and epilogue", async (extent) => {
    for (const format of ["f16", "q8_0", "q4_0", "q4_1"] as const) {
      expect(await messages(subgroupMatrixKernel(tile(extent), format, NO_EPILOGUE).code)).toEqual([]);
    }
    const full = { bias: true, activation: "gelu", extra: { kind: "gate", activation: "silu" }, keepsPreActivation: true } as const;
    expect(await messages(subgroupMatrixKernel(tile(extent), "f16", full).code)).toEqual([]);
  });

  it("count their workgroup memory: 14 KiB as tiles of 64, 24 KiB as tiles of 128", () => {
    expect([64, 128].map((extent) => subgroupMatrixBytes(tile(extent)))).toEqual([14_336, 24_576]);
  });
});
