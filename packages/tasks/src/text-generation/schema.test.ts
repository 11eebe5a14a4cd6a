import { rm } from "node:fs/promises";
import { HeddleError, ReferenceDevice } from "@heddle/kernels";
import { SchemaGrammars } from "@heddle/transformer";
import { afterAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { writeTinyDecoder } from "../testing/tiny-decoder.ts";
import { TextGenerator } from "./generator.ts";

const device = new ReferenceDevice();
const folder = await writeTinyDecoder({ ends: true });
afterAll(() => rm(folder, { recursive: true, force: true }));
const open = () => TextGenerator.fromPretrained(folder, { device });

const SCHEMAS: [what: string, schema: z.ZodType][] = [
  ["one of a few words", z.enum(["refund", "exchange", "naïve 😀"])],
  ["a boolean or nothing", z.union([z.boolean(), z.null()])],
  ["a number in a range", z.int().min(3).max(40)],
  ["an object", z.object({ late: z.boolean(), stars: z.int().min(1).max(5), note: z.string().max(6).optional(), code: z.string().regex(/^[A-Z]{2}-[0-9]{1,3}$/) })],
  ["a list of objects", z.array(z.object({ id: z.int().min(0).max(9) })).min(1).max(3)],
  ["a pair", z.tuple([z.literal("a"), z.string().min(1).max(4)])],
];

describe("texts held to a schema", () => {
  it.each(SCHEMAS)("are %s, whatever is drawn", { timeout: 60_000 }, async (_, schema) => {
    using generator = await open();
    const prompts = ["the parcel", "the"];
    for (const temperature of [0, 1]) {
      const answers = await generator.generate(prompts, { schema, temperature, seed: 5, maxNewTokens: 90 });
      for (const { text, value, finishReason } of answers) {
        expect([JSON.parse(text), finishReason]).toEqual([value, "stop"]);
        expect(schema.parse(value)).toEqual(value);
      }
    }
  });

  it("come piece by piece, with the value at the end, and a session goes on after them", async () => {
    using generator = await open();
    const schema = z.object({ late: z.boolean() });
    const pieces = [];
    for await (const piece of generator.stream("the parcel", { schema, maxNewTokens: 60 })) pieces.push(piece);
    const text = pieces.map((piece) => piece.text).join("");
    expect(text).toMatch(/^\{"late": (true|false)\}$/);
    expect(pieces.at(-1)).toMatchObject({ value: JSON.parse(text), finishReason: "stop" });
    expect(pieces.slice(0, -1).every(({ value }) => value === undefined)).toBe(true);
    const { value } = await generator.generate("the parcel", { schema, maxNewTokens: 60 });
    const late: boolean = value.late;
    expect({ late }).toEqual(JSON.parse(text));
    const free = (await generator.generate("the parcel", { maxNewTokens: 5 })).tokens;
    using fresh = await open();
    expect(free).toEqual((await fresh.generate("the parcel", { maxNewTokens: 5 })).tokens);
  });

  it("take a JSON schema as well, whose value is checked by the same rules", async () => {
    using generator = await open();
    const schema = { type: "object", properties: { tags: { type: "array", items: { enum: ["a", "b"] }, minItems: 2, maxItems: 2 } }, required: ["tags"], additionalProperties: false };
    const { value } = await generator.generate("the", { schema, temperature: 1, seed: 2, maxNewTokens: 60 });
    expect(value).toEqual({ tags: [expect.stringMatching(/^[ab]$/), expect.stringMatching(/^[ab]$/)] });
    const unlike = { type: "array", items: { const: "a" }, minItems: 2, maxItems: 2, uniqueItems: true };
    await expect(generator.generate("the", { schema: unlike, maxNewTokens: 60 })).rejects.toThrow(/no grammar holds \(1: Array items must be unique/);
    await expect(generator.generate("the", { schema: z.int().min(1).max(9).refine((found) => found > 9, "above nine"), maxNewTokens: 9 })).rejects.toThrow(/no grammar holds \(\(whole value\): above nine\)/);
  });

  it("say clearly what cannot be", async () => {
    using generator = await open();
    const code = (schema: unknown, options: object = {}) =>
      generator.generate("the", { schema: schema as z.ZodType, maxNewTokens: 8, ...options }).then(
        () => "written",
        (error: unknown) => (HeddleError.isInstance(error) ? `${error.code} ${error.message}` : String(error)),
      );
    const long = z.object({ "a long name of a member": z.boolean() });
    expect(await code(long)).toMatch(/^SCHEMA_NOT_MET .* is not whole after as many tokens as it may have .*maxNewTokens/);
    await expect(generator.generate(["the", "box"], { schema: long, maxNewTokens: 8 })).rejects.toThrow(/prompt 0: the JSON is not whole/);
    expect(await code(z.boolean(), { minNewTokens: 7 })).toMatch(/^SCHEMA_NOT_MET .*minNewTokens/);
    expect(await code({ type: "nonsense" })).toMatch(/^SCHEMA_INVALID/);
    expect(await code({ type: "integer", minimum: 9, maximum: 3 })).toMatch(/^SCHEMA_INVALID .*minimum greater than maximum/);
    expect(await code(z.boolean(), { maxNewTokens: 20 })).toBe("written");
    await expect(generator.generate(["the"], { schema: z.boolean(), numBeams: 2 })).rejects.toThrow(/use numBeams 1/);
    expect(() => new SchemaGrammars(undefined as never, 9, [])).toThrow(/names no token that ends its texts/);
  });
});
