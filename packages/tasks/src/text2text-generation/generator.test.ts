import { rm } from "node:fs/promises";
import { ReferenceDevice, type WebGpuDevice } from "@heddle/kernels";
import { afterAll, describe, expect, it } from "vitest";
import { writeTinySeq2Seq } from "../testing/tiny-seq2seq.ts";
import type { GeneratedPiece } from "../text-generation/types.ts";
import { Text2TextGenerator, type Text2TextStreamOptions } from "./generator.ts";

const device = new ReferenceDevice();
const folder = await writeTinySeq2Seq("t5");
afterAll(() => rm(folder, { recursive: true, force: true }));

async function pieces(generator: Text2TextGenerator, text: string, options: Text2TextStreamOptions): Promise<GeneratedPiece[]> {
  const all: GeneratedPiece[] = [];
  for await (const piece of generator.stream(text, options)) all.push(piece);
  return all;
}

describe("Text2TextGenerator.stream", () => {
  it("gives the text of generate() piece by piece, also while another is written", async () => {
    const before = device.memory.currentBytes;
    const generator = await Text2TextGenerator.fromPretrained(folder, { device });
    const options = { maxNewTokens: 9, numBeams: 1 };
    const wanted = await generator.generate(["the parcel was late", "box"], options);
    const both = await Promise.all(["the parcel was late", "box"].map((text) => pieces(generator, text, { maxNewTokens: 9 })));
    expect(both.map((streamed) => streamed.map(({ token }) => token))).toEqual(wanted.map(({ tokens }) => tokens));
    expect(both.map((streamed) => streamed.map(({ text }) => text).join(""))).toEqual(wanted.map(({ text }) => text));
    expect(both[0]!.at(-1)!.finishReason).toBe(wanted[0]!.finishReason);
    generator.dispose();
    expect(device.memory.currentBytes).toBe(before);
    await expect(pieces(generator, "box", {})).rejects.toMatchObject({ code: "DISPOSED" });
  });

  it("stops when it is told to, and writes the next text as if nothing had been", async () => {
    using generator = await Text2TextGenerator.fromPretrained(folder, { device });
    const stop = new AbortController();
    const seen: GeneratedPiece[] = [];
    const streaming = async () => {
      for await (const piece of generator.stream("the parcel was late", { maxNewTokens: 9, signal: stop.signal })) if (seen.push(piece) === 3) stop.abort();
    };
    await expect(streaming()).rejects.toMatchObject({ code: "ABORTED" });
    expect(seen).toHaveLength(3);
    for await (const _ of generator.stream("box", { maxNewTokens: 9 })) break;
    const [whole] = await generator.generate(["the parcel was late"], { maxNewTokens: 9, numBeams: 1 });
    expect(whole!.tokens.slice(0, 3)).toEqual(seen.map(({ token }) => token));
    await expect(pieces(generator, "box", { numBeams: 2 })).rejects.toThrow(/use generate\(\), or numBeams 1/);
  });

  it("goes on with the same text where its device is lost in the middle", { timeout: 60_000 }, async () => {
    using reference = await Text2TextGenerator.fromPretrained(folder, { device });
    using generator = await Text2TextGenerator.fromPretrained(folder, { device: "webgpu" });
    const tokens: unknown[] = [];
    for await (const { token } of generator.stream("the parcel", { maxNewTokens: 8 })) {
      if (tokens.push(token) === 4) (generator as unknown as { model: { loaded: { model: { device: WebGpuDevice } } } }).model.loaded.model.device.gpu.device.destroy();
    }
    expect(tokens).toEqual((await pieces(reference, "the parcel", { maxNewTokens: 8 })).map(({ token }) => token));
  });
});
