import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ReferenceDevice, type WebGpuDevice } from "@heddle/kernels";
import { afterAll, describe, expect, it } from "vitest";
import { writeTinyDecoder } from "../testing/tiny-decoder.ts";
import { TextGenerator } from "./generator.ts";
import { StopStrings } from "./stop-strings.ts";
import type { GeneratedPiece, Prompt, TextGenerationOptions } from "./types.ts";

const device = new ReferenceDevice();
const folder = await writeTinyDecoder();
afterAll(() => rm(folder, { recursive: true, force: true }));
const open = () => TextGenerator.fromPretrained(folder, { device });

async function pieces(generator: TextGenerator, prompt: Prompt, options: TextGenerationOptions): Promise<GeneratedPiece[]> {
  const all: GeneratedPiece[] = [];
  for await (const piece of generator.stream(prompt, options)) all.push(piece);
  return all;
}

describe("TextGenerator", () => {
  it("streams whole characters, which together are the text", async () => {
    using generator = await open();
    const streamed = await pieces(generator, "the parcel", { maxNewTokens: 30 });
    const whole = await generator.generate("the parcel", { maxNewTokens: 30 });
    expect(streamed.map(({ text }) => text).join("")).toBe(whole.text);
    expect(streamed.map(({ token }) => token)).toEqual(whole.tokens);
    expect([whole.tokens.length, whole.finishReason, streamed.at(-1)!.finishReason]).toEqual([30, "length", "length"]);
  });

  it("answers several prompts together as it would alone, and several streams at a time", async () => {
    using generator = await open();
    const prompts = ["the", "the parcel was late", "box"];
    const alone = [];
    for (const prompt of prompts) alone.push((await generator.generate(prompt, { maxNewTokens: 8 })).tokens);
    expect((await generator.generate(prompts, { maxNewTokens: 8 })).map(({ tokens }) => tokens)).toEqual(alone);
    const [a, b] = [generator.stream(prompts[0]!, { maxNewTokens: 8 }), generator.stream(prompts[1]!, { maxNewTokens: 8 })];
    const [first, second]: [unknown[], unknown[]] = [[], []];
    for (let i = 0; i < 8; i++) {
      first.push((await a.next()).value!.token);
      second.push((await b.next()).value!.token);
    }
    expect([first, second]).toEqual(alone.slice(0, 2));
    await Promise.all([a.return(), b.return()]);
  });

  it("ends before a stop string, of which it shows nothing", async () => {
    using generator = await open();
    const { text } = await generator.generate("the", { maxNewTokens: 20 });
    const stop = text.slice(5, 8);
    const until = text.slice(0, text.indexOf(stop));
    const streamed = await pieces(generator, "the", { maxNewTokens: 20, stopStrings: ["never said", stop] });
    expect([streamed.map((piece) => piece.text).join(""), streamed.at(-1)!.finishReason]).toEqual([until, "stop"]);
    expect((await generator.generate(["the"], { maxNewTokens: 20, stopStrings: [stop] }))[0]).toMatchObject({ text: until, finishReason: "stop" });
  });

  it("goes by the chat template, and reads of a conversation only what is new", async () => {
    using generator = await open();
    const messages = [{ role: "user", content: "late" }];
    expect(generator.encode(messages)).toEqual(generator.encode("<user>late\n<assistant>").slice(1, -1));
    const answer = await generator.generate(messages, { maxNewTokens: 6 });
    const next = [...messages, { role: "assistant", content: answer.text }, { role: "user", content: "box" }];
    const held = await generator.generate(next, { maxNewTokens: 6 });
    using fresh = await open();
    expect(held).toEqual(await fresh.generate(next, { maxNewTokens: 6 }));
    const plain = await writeTinyDecoder({ chat: false });
    using other = await TextGenerator.fromPretrained(plain, { device });
    await expect(other.generate(messages)).rejects.toThrow(/has no chat template/);
    await rm(plain, { recursive: true });
  });

  it("frees all that it held, also what a stream left behind", async () => {
    const before = device.memory.currentBytes;
    const generator = await open();
    for await (const _ of generator.stream("the", { maxNewTokens: 9 })) break;
    await generator.generate(["the", "box"], { maxNewTokens: 2, numBeams: 2 });
    generator.dispose();
    expect(device.memory.currentBytes).toBe(before);
    expect(() => generator.encode("the")).toThrow(/was disposed/);
  });

  it("goes on with the same text where its device is lost in the middle", { timeout: 60_000 }, async () => {
    using generator = await TextGenerator.fromPretrained(folder, { device: "webgpu" });
    const options = { maxNewTokens: 12, temperature: 0.9, seed: 3, presencePenalty: 0.5 };
    const wanted = await generator.generate("the parcel", options);
    const deviceOf = () => (generator as unknown as { model: { loaded: { model: { device: WebGpuDevice } } } }).model.loaded.model.device;
    const tokens: unknown[] = [];
    for await (const { token } of generator.stream("the parcel", options)) {
      tokens.push(token);
      if (tokens.length === 5) deviceOf().gpu.device.destroy();
    }
    expect(tokens).toEqual(wanted.tokens);
  });

  it("takes the model's generation_config.json where the caller says nothing", async () => {
    const own = await writeTinyDecoder();
    await writeFile(join(own, "generation_config.json"), JSON.stringify({ do_sample: true, temperature: 0.9, top_k: 7, max_new_tokens: 5, suppress_tokens: null }));
    using generator = await TextGenerator.fromPretrained(own, { device });
    using plain = await open();
    const told = { temperature: 0.9, topK: 7, maxNewTokens: 5, seed: 3 };
    expect(await generator.generate("the", { seed: 3 })).toEqual(await plain.generate("the", told));
    expect(await generator.generate("the", { temperature: 0, maxNewTokens: 4 })).toEqual(await plain.generate("the", { maxNewTokens: 4 }));
    const { tokens } = await plain.generate("the", { maxNewTokens: 4 });
    await writeFile(join(own, "generation_config.json"), JSON.stringify({ eos_token_id: [287, tokens[2]], temperature: 0.9 }));
    using ending = await TextGenerator.fromPretrained(own, { device });
    expect(await ending.generate("the")).toMatchObject({ tokens: tokens.slice(0, 1 + tokens.indexOf(tokens[2]!)), finishReason: "stop" });
    await writeFile(join(own, "generation_config.json"), JSON.stringify({ top_p: 2 }));
    await expect(TextGenerator.fromPretrained(own, { device })).rejects.toThrow(/generation_config.json\] top_p/);
    await rm(own, { recursive: true });
  });

  it("refuses what it cannot do", async () => {
    using generator = await open();
    await expect(pieces(generator, "the", { numBeams: 2 })).rejects.toThrow(/use generate\(\), or numBeams 1/);
    await expect(generator.generate("the ".repeat(100))).rejects.toThrow(/takes texts of at most 96/);
  });
});

describe("StopStrings", () => {
  it("holds back what may be the beginning of one, and gives it out when it is not", () => {
    const stops = new StopStrings(["END", "stop now"]);
    expect(["a E", "N", "d st", "op", " here E"].map((piece) => stops.push(piece))).toEqual(["a ", "", "ENd ", "", "stop here "]);
    expect([stops.flush(), stops.stopped]).toEqual(["E", false]);
    expect([stops.push("x stop no"), stops.push("w more"), stops.push("even"), stops.flush(), stops.stopped]).toEqual(["x ", "", "", "", true]);
  });
});
