import { HeddleError, type ErrorCode } from "@heddle/kernels";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytesPerElement, SAFETENSORS_DTYPES } from "./dtype.ts";
import { parseSafetensorsHeader } from "./header.ts";
import { encodeSafetensorsHeader } from "./writer.ts";

function file(header: string | Uint8Array, dataBytes = 0, claimed?: bigint): Uint8Array {
  const json = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, claimed ?? BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

const tensor = (begin: number, end: number, more: object = {}): object => ({ dtype: "F32", shape: [(end - begin) / 4], data_offsets: [begin, end], ...more });
const withTensors = (tensors: object, dataBytes: number): Uint8Array => file(JSON.stringify(tensors), dataBytes);

function codeOf(bytes: Uint8Array, sizeBytes = bytes.length): ErrorCode | "accepted" {
  try {
    parseSafetensorsHeader(bytes, sizeBytes);
    return "accepted";
  } catch (error) {
    if (HeddleError.isInstance(error)) return error.code;
    throw error;
  }
}

const hostile: [what: string, bytes: Uint8Array, code: ErrorCode | "accepted"][] = [
  ["nothing at all", new Uint8Array(0), "SAFETENSORS_TOO_SHORT"],
  ["seven bytes", new Uint8Array(7), "SAFETENSORS_TOO_SHORT"],
  ["a header of 2^63 bytes", file("{}", 0, 1n << 63n), "SAFETENSORS_HEADER_TOO_LARGE"],
  ["a header of 2^64 - 1 bytes", file("{}", 0, (1n << 64n) - 1n), "SAFETENSORS_HEADER_TOO_LARGE"],
  ["a header just over the cap", file("{}", 0, 100_000_001n), "SAFETENSORS_HEADER_TOO_LARGE"],
  ["a header longer than the file", file("{}", 0, 3n), "SAFETENSORS_HEADER_TRUNCATED"],
  ["an empty header", file(""), "SAFETENSORS_HEADER_NOT_JSON"],
  ["broken JSON", file('{"a":'), "SAFETENSORS_HEADER_NOT_JSON"],
  ["bytes that are not UTF-8", file(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d)), "SAFETENSORS_HEADER_NOT_JSON"],
  ["deeply nested JSON", file("[".repeat(100_000)), "SAFETENSORS_HEADER_NOT_JSON"],
  ["an array", file("[]"), "SAFETENSORS_HEADER_NOT_JSON"],
  ["null", file("null"), "SAFETENSORS_HEADER_NOT_JSON"],
  ["metadata with a number", file('{"__metadata__":{"a":1}}'), "SAFETENSORS_METADATA_INVALID"],
  ["metadata as a list", file('{"__metadata__":[]}'), "SAFETENSORS_METADATA_INVALID"],
  ["a tensor that is a text", file('{"a":"x"}'), "SAFETENSORS_ENTRY_INVALID"],
  ["the same tensor twice", file('{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}, "\\u0061" :{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'), "SAFETENSORS_DUPLICATE_NAME"],
  ["the same key twice in a tensor", file('{"a":{"dtype":"F32","dtype":"I8","shape":[0],"data_offsets":[0,0]}}'), "SAFETENSORS_DUPLICATE_NAME"],
  ["no dtype", withTensors({ a: { shape: [0], data_offsets: [0, 0] } }, 0), "SAFETENSORS_DTYPE_UNKNOWN"],
  ["an unknown dtype", withTensors({ a: tensor(0, 4, { dtype: "F33" }) }, 4), "SAFETENSORS_DTYPE_UNKNOWN"],
  ["a dtype from the prototype", withTensors({ a: tensor(0, 4, { dtype: "constructor" }) }, 4), "SAFETENSORS_DTYPE_UNKNOWN"],
  ["no shape", withTensors({ a: { dtype: "F32", data_offsets: [0, 0] } }, 0), "SAFETENSORS_SHAPE_INVALID"],
  ["a negative size", withTensors({ a: tensor(0, 4, { shape: [-1] }) }, 4), "SAFETENSORS_SHAPE_INVALID"],
  ["half a size", withTensors({ a: tensor(0, 4, { shape: [0.5] }) }, 4), "SAFETENSORS_SHAPE_INVALID"],
  ["a size beyond 2^53", file('{"a":{"dtype":"F32","shape":[9007199254740993],"data_offsets":[0,4]}}', 4), "SAFETENSORS_SHAPE_INVALID"],
  ["sizes whose product overflows", withTensors({ a: tensor(0, 4, { shape: [2 ** 40, 2 ** 40] }) }, 4), "SAFETENSORS_SHAPE_OVERFLOW"],
  ["a product that overflows before a zero", withTensors({ a: tensor(0, 0, { shape: [2 ** 40, 2 ** 40, 0] }) }, 0), "SAFETENSORS_SHAPE_OVERFLOW"],
  ["bytes that overflow", withTensors({ a: tensor(0, 4, { shape: [2 ** 52] }) }, 4), "SAFETENSORS_SHAPE_OVERFLOW"],
  ["no offsets", withTensors({ a: { dtype: "F32", shape: [1] } }, 4), "SAFETENSORS_OFFSETS_INVALID"],
  ["three offsets", withTensors({ a: tensor(0, 4, { data_offsets: [0, 4, 8] }) }, 4), "SAFETENSORS_OFFSETS_INVALID"],
  ["offsets backwards", withTensors({ a: tensor(0, 4, { data_offsets: [4, 0] }) }, 4), "SAFETENSORS_OFFSETS_INVALID"],
  ["a negative offset", withTensors({ a: tensor(0, 4, { data_offsets: [-4, 0] }) }, 4), "SAFETENSORS_OFFSETS_INVALID"],
  ["an offset beyond 2^53", file('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551615]}}', 4), "SAFETENSORS_OFFSETS_INVALID"],
  ["a shape that needs more bytes", withTensors({ a: tensor(0, 4, { shape: [2] }) }, 4), "SAFETENSORS_SIZE_MISMATCH"],
  ["data cut short", withTensors({ a: tensor(0, 8) }, 7), "SAFETENSORS_OUT_OF_BOUNDS"],
  ["two tensors over each other", withTensors({ a: tensor(0, 8), b: tensor(4, 12) }, 12), "SAFETENSORS_OVERLAP"],
  ["one tensor under two names", withTensors({ a: tensor(0, 8), b: tensor(0, 8) }, 8), "SAFETENSORS_OVERLAP"],
  ["a hole", withTensors({ a: tensor(0, 4), b: tensor(8, 12) }, 12), "SAFETENSORS_HOLE"],
  ["bytes before the first tensor", withTensors({ a: tensor(4, 8) }, 8), "SAFETENSORS_HOLE"],
  ["bytes after the last tensor", withTensors({ a: tensor(0, 4) }, 5), "SAFETENSORS_TRAILING_BYTES"],
  ["no tensors", file("{}"), "accepted"],
  ["a scalar and an empty tensor", withTensors({ a: tensor(0, 4, { shape: [] }), b: tensor(4, 4, { shape: [0, 3] }) }, 4), "accepted"],
  ["a header padded with spaces", file(`${JSON.stringify({ a: tensor(0, 4) })}   `, 4), "accepted"],
  ["names from the prototype", withTensors({ toString: tensor(0, 4), ["__proto__"]: tensor(4, 8) }, 8), "accepted"],
];

describe("parseSafetensorsHeader", () => {
  it.each(hostile)("%s", (_, bytes, code) => expect(codeOf(bytes)).toBe(code));

  it("does not need the data, only the file's size", () => {
    const bytes = withTensors({ a: tensor(0, 4_000_000_000) }, 0);
    expect(parseSafetensorsHeader(bytes, bytes.length + 4_000_000_000).entries[0]!.end).toBe(bytes.length + 4_000_000_000);
  });

  it("reads back every header that the writer makes", () => {
    const tensors = fc.uniqueArray(
      fc.record({ name: fc.string().filter((name) => name !== "__metadata__"), dtype: fc.constantFrom(...SAFETENSORS_DTYPES), shape: fc.array(fc.nat(5), { maxLength: 4 }) }),
      { selector: ({ name }) => name, maxLength: 8 },
    );
    fc.assert(
      fc.property(tensors, fc.dictionary(fc.string(), fc.string()), (list, metadata) => {
        const { header, ordered } = encodeSafetensorsHeader(list.map((item) => ({ ...item, data: new Uint8Array() })), metadata);
        const dataBytes = list.reduce((sum, { dtype, shape }) => sum + shape.reduce((a, b) => a * b, bytesPerElement(dtype)), 0);
        const parsed = parseSafetensorsHeader(header, header.length + dataBytes);
        expect(header.length % 8).toBe(0);
        expect(parsed.metadata).toEqual(metadata);
        expect(parsed.entries.map(({ name, dtype, shape }) => ({ name, dtype, shape })).sort(byName)).toEqual(ordered.map(({ name, dtype, shape }) => ({ name, dtype, shape })).sort(byName));
        for (const entry of parsed.entries) expect(entry.begin % bytesPerElement(entry.dtype)).toBe(0);
      }),
      { seed: 1 },
    );
  });
});

function byName(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : 1;
}
