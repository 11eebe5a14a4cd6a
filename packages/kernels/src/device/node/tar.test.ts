import { describe, expect, it } from "vitest";
import { readTar } from "./tar.ts";

/** A ustar entry as GNU tar writes it: header, data, padding. */
function entry(name: string, data: Uint8Array, type = "0"): Uint8Array {
  const bytes = new Uint8Array(512 + Math.ceil(data.length / 512) * 512);
  const put = (text: string, offset: number) => bytes.set(new TextEncoder().encode(text), offset);
  put(name, 0);
  put(`${data.length.toString(8).padStart(11, "0")}\0`, 124);
  put(type, 156);
  put("ustar\0", 257);
  bytes.set(data, 512);
  return bytes;
}

const archive = (...entries: Uint8Array[]) => Uint8Array.from([...entries, new Uint8Array(1024)].flatMap((bytes) => [...bytes]));
const read = (bytes: Uint8Array) => [...readTar(bytes)].map(({ name, data }) => [name, [...data]]);

describe("readTar", () => {
  it("gives files of every length, and skips folders", () => {
    const long = new Uint8Array(1000).map((_, i) => i % 251);
    const block = new Uint8Array(512).fill(7);
    const bytes = archive(entry("d/", new Uint8Array(), "5"), entry("d/empty", new Uint8Array()), entry("long", long), entry("block", block), entry("one", Uint8Array.of(9)));
    expect(read(bytes)).toEqual([
      ["d/empty", []],
      ["long", [...long]],
      ["block", [...block]],
      ["one", [9]],
    ]);
  });

  it("has nothing to give from an empty archive", () => {
    expect(read(new Uint8Array())).toEqual([]);
    expect(read(archive())).toEqual([]);
  });

  it("refuses an archive that was cut short or is none", () => {
    const whole = archive(entry("library.so", new Uint8Array(2000)));
    expect(() => read(whole.subarray(0, 1500))).toThrow(/library\.so is cut short/);
    expect(() => read(new Uint8Array(2048).fill(65))).toThrow(RangeError);
  });
});
