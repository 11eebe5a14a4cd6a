import { dequantizeWeight, toFloat16 } from "@heddle/kernels";
import { describe, expect, it } from "vitest";
import { encodeGguf } from "../../testing/gguf.ts";
import { memorySource } from "../source/byte-source.ts";
import { BLOCK_FORMATS, type BlockFormat } from "./blocks.ts";
import { readGguf, readTensor, type GgufFile } from "./file.ts";
import { quantizationOf, readQuantized } from "./quantized.ts";

const OUTPUTS = 3;
const INPUTS = 512;

/** Where a block has its half floats: everything else may be any byte. */
const HALVES: Readonly<Record<string, readonly number[]>> = { Q4_0: [0], Q4_1: [0, 2], Q5_0: [0], Q5_1: [0, 2], Q8_0: [0], Q4_K: [0, 2], Q5_K: [0, 2], Q6_K: [208] };

function chanceBytes({ name, weights, bytes: size }: BlockFormat, scale = 0.01): Uint8Array {
  const bytes = new Uint8Array(((OUTPUTS * INPUTS) / weights) * size);
  let state = 7;
  const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  for (let i = 0; i < bytes.length; i++) bytes[i] = 256 * random();
  for (let block = 0; block < bytes.length; block += size) {
    for (const at of HALVES[name]!) bytes.set(new Uint8Array(toFloat16([scale * (0.5 + random())]).buffer), block + at);
  }
  return bytes;
}

const fileOf = (type: number, bytes: Uint8Array, shape: readonly number[] = [OUTPUTS, INPUTS]): Promise<GgufFile> =>
  readGguf(memorySource(encodeGguf({ "general.architecture": "llama" }, [{ name: "w", shape, type, bytes }])));

describe("a GGUF file's blocks on a device", () => {
  // The largest error as a part of the largest weight.
  it.each([[2, "q4_0", 0], [3, "q4_1", 0], [6, "q8_0", 0], [8, "q8_0", 0], [12, "q4_1", 1e-3], [14, "q8_16", 5e-4], [7, "q8_0", 5e-3], [13, "q8_0", 5e-3]] as const)("type %d is %s, at most %d off", async (type, format, tolerance) => {
    const blocks = BLOCK_FORMATS.get(type)!;
    const file = await fileOf(type, chanceBytes(blocks));
    const tensor = file.tensors.get("w")!;
    expect(quantizationOf(tensor)).toBe(format);
    const quantized = await readQuantized(file, tensor);
    const wanted = await readTensor(file, tensor);
    const { shape, data } = dequantizeWeight(quantized);
    expect([quantized.format, shape]).toEqual([format, [OUTPUTS, INPUTS]]);
    const largest = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expect(largest).toBeGreaterThan(0.1);
    const error = wanted.reduce((most, value, i) => Math.max(most, Math.abs(value - data[i]!)), 0);
    expect(error / largest).toBeLessThanOrEqual(tolerance);
  });

  it("are held for matrices alone", async () => {
    const q8 = BLOCK_FORMATS.get(8)!;
    expect(quantizationOf((await fileOf(8, chanceBytes(q8), [OUTPUTS * INPUTS])).tensors.get("w")!)).toBeUndefined();
    expect(quantizationOf((await fileOf(0, new Uint8Array(4 * OUTPUTS * INPUTS))).tensors.get("w")!)).toBeUndefined();
  });

  it("are refused where a scale is not finite", async () => {
    const bytes = chanceBytes(BLOCK_FORMATS.get(8)!);
    bytes.set([0x00, 0x7e], 34);
    const file = await fileOf(8, bytes);
    await expect(readQuantized(file, file.tensors.get("w")!)).rejects.toMatchObject({ code: "WEIGHTS_NOT_FINITE", message: expect.stringContaining("w has a scale that is not finite") });
  });
});
