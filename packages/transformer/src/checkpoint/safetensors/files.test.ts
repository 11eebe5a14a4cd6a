import { mkdtempSync, readdirSync, readFileSync, existsSync, rmSync, writeFileSync } from "node:fs";
import * as nodeFs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { blobSource, memorySource } from "../source/byte-source.ts";
import type { WritableFileSystem } from "../source/atomic-file.ts";
import { openFileSource } from "../source/file-source.ts";
import { openHttpSource } from "../source/http-source.ts";
import { SafetensorsReader, type LoadedTensor } from "./reader.ts";
import { encodeSafetensors, writeSafetensors, type TensorToWrite } from "./writer.ts";

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "heddle-safetensors-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const tensors: TensorToWrite[] = [
  { name: "weight", dtype: "F32", shape: [2, 3], data: Float32Array.of(1, -2, 3.5, 0, 1e-30, 6) },
  { name: "half", dtype: "F16", shape: [6], data: Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x8000, 0x7bff, 0x3555) },
  { name: "brain", dtype: "BF16", shape: [3], data: Uint16Array.of(0x3f80, 0xc049, 0x0001) },
  { name: "double", dtype: "F64", shape: [2], data: Float64Array.of(0.1, -1e10) },
  { name: "ids", dtype: "I64", shape: [2], data: async () => BigInt64Array.of(-7n, 2147483647n) },
  { name: "mask", dtype: "BOOL", shape: [3], data: Uint8Array.of(1, 0, 1) },
  { name: "tiny", dtype: "I8", shape: [2], data: Int8Array.of(-128, 127) },
  { name: "empty", dtype: "F32", shape: [0, 4], data: new Float32Array() },
];
const expected: Record<string, number[]> = {
  weight: [1, -2, 3.5, 0, Math.fround(1e-30), 6],
  half: [1, -2, 2 ** -24, -0, 65504, Math.fround(0.333251953125)],
  brain: [1, -3.140625, 2 ** -133],
  double: [Math.fround(0.1), -1e10],
  ids: [-7, 2147483647],
  mask: [1, 0, 1],
  tiny: [-128, 127],
  empty: [],
};

async function bytesOf(list: TensorToWrite[]): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  for await (const part of encodeSafetensors(list)) parts.push(part.slice());
  return new Uint8Array(await new Blob(parts as Uint8Array<ArrayBuffer>[]).arrayBuffer());
}

async function readAll(reader: SafetensorsReader): Promise<Record<string, number[]>> {
  const all: [string, number[]][] = [];
  for await (const tensor of reader.stream()) all.push([tensor.name, [...tensor.data]]);
  await reader.close();
  return Object.fromEntries(all);
}

describe("a written file reads back the same", () => {
  it("from a file, a blob, memory and HTTP with and without ranges", async () => {
    const path = join(folder, "model.safetensors");
    await writeSafetensors(path, tensors);
    const bytes = Uint8Array.from(readFileSync(path));
    expect(readdirSync(folder)).toEqual(["model.safetensors"]);
    const requests: (string | null)[] = [];
    const ranged: typeof fetch = async (_url, init) => {
      const range = new Headers(init?.headers).get("range");
      requests.push(range);
      const [, begin, last] = /bytes=(\d+)-(\d+)/.exec(range!)!;
      const part = bytes.slice(Number(begin), Number(last) + 1);
      return new Response(part, { status: 206, headers: { "content-range": `bytes ${begin}-${last}/${bytes.length}` } });
    };
    const whole: typeof fetch = async () => new Response(bytes);
    const sources = [await openFileSource(path), blobSource(new Blob([bytes])), memorySource(bytes), (await openHttpSource("http://h/m", ranged))!, (await openHttpSource("http://h/m", whole))!];
    for (const source of sources) {
      const reader = await SafetensorsReader.open(source);
      expect(reader.metadata).toEqual({ format: "pt" });
      expect(await readAll(reader), source.label).toEqual(expected);
    }
    expect(requests.length).toBeLessThan(5); // read-ahead: not one request a tensor
  });

  it("also where elements lie unaligned, as other writers leave them", async () => {
    const header = '{"odd":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"w":{"dtype":"F32","shape":[1],"data_offsets":[3,7]}}';
    const bytes = new Uint8Array(8 + header.length + 7);
    const view = new DataView(bytes.buffer);
    view.setBigUint64(0, BigInt(header.length), true);
    bytes.set(new TextEncoder().encode(header), 8);
    view.setFloat32(8 + header.length + 3, 2.5, true);
    expect(await readAll(await SafetensorsReader.open(memorySource(bytes)))).toEqual({ odd: [0, 0, 0], w: [2.5] });
  });

  it("in chunks: a half-precision tensor larger than one", async () => {
    const count = 5_000_001;
    const data = Uint16Array.from({ length: count }, (_, i) => 0x3c00 + (i % 1024));
    const reader = await SafetensorsReader.open(memorySource(await bytesOf([{ name: "h", dtype: "F16", shape: [count], data }])));
    const { data: read } = await reader.read("h");
    for (const i of [0, 2_097_151, 2_097_152, 5_000_000]) expect(read[i]).toBe(1 + (i % 1024) / 1024);
  });
});

describe("bad values and requests", () => {
  it("names the tensor and the index of a NaN or infinity, unless told not to look", async () => {
    for (const [dtype, data] of [["F32", Float32Array.of(1, NaN)], ["F16", Uint16Array.of(0, 0x7c00)], ["F64", Float64Array.of(1, 1e300)]] as const) {
      const reader = await SafetensorsReader.open(memorySource(await bytesOf([{ name: "layer.0", dtype, shape: [2], data }])));
      await expect(reader.read("layer.0")).rejects.toMatchObject({ code: "WEIGHTS_NOT_FINITE", message: expect.stringContaining("layer.0[1]") });
      expect((await reader.read("layer.0", { checkFinite: false })).data[1]).not.toSatisfy(Number.isFinite);
    }
  });

  it("refuses integers that i32 cannot hold, unknown names, wrong data sizes and equal names", async () => {
    const reader = await SafetensorsReader.open(memorySource(await bytesOf([{ name: "big", dtype: "I64", shape: [1], data: BigInt64Array.of(1n << 40n) }])));
    await expect(reader.read("big")).rejects.toMatchObject({ code: "SAFETENSORS_VALUE_RANGE" });
    await expect(reader.read("small")).rejects.toMatchObject({ code: "TENSOR_NOT_FOUND" });
    await expect(bytesOf([{ name: "a", dtype: "F32", shape: [3], data: new Float32Array(2) }])).rejects.toMatchObject({ code: "SAFETENSORS_SIZE_MISMATCH" });
    await expect(bytesOf([tensors[0]!, tensors[0]!])).rejects.toMatchObject({ code: "SAFETENSORS_DUPLICATE_NAME" });
  });

  it("names the file in the error of a damaged one, and closes it", async () => {
    const path = join(folder, "cut.safetensors");
    writeFileSync(path, (await bytesOf(tensors)).slice(0, -1));
    await expect(SafetensorsReader.open(await openFileSource(path))).rejects.toMatchObject({ code: "SAFETENSORS_OUT_OF_BOUNDS", message: expect.stringContaining("cut.safetensors") });
  });

  it("stops between tensors when aborted", async () => {
    const stop = new AbortController();
    const reader = await SafetensorsReader.open(memorySource(await bytesOf(tensors)));
    const seen: LoadedTensor[] = [];
    const run = async (): Promise<void> => {
      for await (const tensor of reader.stream({ signal: stop.signal })) {
        seen.push(tensor);
        stop.abort();
      }
    };
    await expect(run()).rejects.toMatchObject({ code: "ABORTED" });
    expect(seen.length).toBe(1);
  });
});

/** A disk with room for `roomBytes`; each write beyond fails as a full disk does. */
function smallDisk(roomBytes: number): WritableFileSystem {
  const open: typeof nodeFs.open = async (...args) => {
    const handle = await nodeFs.open(...args);
    const write = handle.write.bind(handle) as (bytes: Uint8Array, offset: number, length: number) => Promise<{ bytesWritten: number; buffer: Uint8Array }>;
    handle.write = (async (bytes: Uint8Array, offset: number, length: number) => {
      if (length > roomBytes) throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
      roomBytes -= length;
      return write(bytes, offset, length);
    }) as unknown as typeof handle.write;
    return handle;
  };
  return { ...nodeFs, open };
}

describe("a write that fails leaves the earlier file and no rest", () => {
  it.each([0, 0.95, 0.999])("on a disk with room for %d of it", async (fraction) => {
    const room = Math.floor((await bytesOf(tensors)).length * fraction);
    const path = join(folder, "model.safetensors");
    writeFileSync(path, "earlier");
    await expect(writeSafetensors(path, tensors, { fileSystem: smallDisk(room) })).rejects.toMatchObject({ code: "DISK_FULL" });
    expect(readFileSync(path, "utf8")).toBe("earlier");
    expect(readdirSync(folder)).toEqual(["model.safetensors"]);
  });

  it("when aborted, when a tensor cannot be read, when the folder is none", async () => {
    const path = join(folder, "model.safetensors");
    await expect(writeSafetensors(path, tensors, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "ABORTED" });
    const lost: TensorToWrite = { name: "lost", dtype: "F32", shape: [1], data: () => Promise.reject(new Error("device lost")) };
    await expect(writeSafetensors(path, [lost])).rejects.toThrow("device lost");
    await expect(writeSafetensors(join(folder, "absent", "model.safetensors"), tensors)).rejects.toMatchObject({ code: "FOLDER_NOT_WRITABLE" });
    expect(readdirSync(folder)).toEqual([]);
  });
});

const shared = process.env["HEDDLE_SHARED"] ?? join(import.meta.dirname, "../../../../../../shared");
it("opens every checkpoint of the golden cases", async () => {
  const cases = join(shared, "golden/cases");
  if (!existsSync(cases)) return console.warn(`golden checkpoints NOT read: ${cases} is absent`);
  for (const name of readdirSync(cases)) {
    const reader = await SafetensorsReader.open(await openFileSource(join(cases, name, "model.safetensors")));
    let count = 0;
    for await (const tensor of reader.stream()) {
      expect(tensor.data.length).toBe(tensor.shape.reduce((a, b) => a * b, 1));
      count++;
    }
    expect(count).toBe(reader.entries.size);
    await reader.close();
  }
});
