import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { loadTokenizer } from "@heddle/transformer";
import { describe, expect, it } from "vitest";
import { areHere, golden } from "./files.ts";

interface GoldenTexts {
  readonly single: readonly { readonly text: string; readonly ids: number[]; readonly tokens: string[]; readonly offsets: [number, number][]; readonly type_ids: number[]; readonly ids_plain: number[]; readonly decoded: string; readonly decoded_with_special: string }[];
  readonly pairs: readonly { readonly a: string; readonly b: string; readonly ids: number[]; readonly type_ids: number[] }[];
  readonly truncated: readonly { readonly a: string; readonly b: string; readonly max_length: number; readonly ids: number[] }[];
}

const folder = golden("tokenizers");
const names = areHere(folder) ? readdirSync(folder) : [];

/** Python counts code points. */
const inCodeUnits = (text: string, place: number) => [...text].slice(0, place).join("").length;

describe.runIf(names.length > 0).each(names)("%s", (name) => {
  const read = <T>(file: string) => JSON.parse(readFileSync(join(folder, name, file), "utf8")) as T;
  const texts = names.length > 0 ? read<GoldenTexts>("golden.json") : undefined;
  const tokenizer = loadTokenizer(readFileSync(join(folder, name, "tokenizer.json"), "utf8"));

  it("gives Python's ids, types, places and texts for every string", () => {
    for (const { text, ids, tokens, offsets, type_ids: typeIds, ids_plain: plain, decoded, decoded_with_special: whole } of texts!.single) {
      expect(tokenizer.encode(text), text).toMatchObject({ ids, typeIds });
      expect(tokenizer.encode(text, { addSpecialTokens: false }).ids, text).toEqual(plain);
      expect([tokenizer.decode(ids), tokenizer.decode(ids, { skipSpecialTokens: false })], text).toEqual([decoded, whole]);
      const framed = tokenizer.frame(tokenizer.tokenize(text));
      expect(framed.ids, text).toEqual(ids);
      framed.tokens.forEach((token, i) => {
        if (token) expect([token.token, token.start, token.end], text).toEqual([tokens[i], ...offsets[i]!.map((place) => inCodeUnits(text, place))]);
      });
    }
  });

  it("joins pairs and cuts them as Python does", () => {
    for (const { a, b, ids, type_ids: typeIds } of texts!.pairs) expect(tokenizer.encode(a, { pair: b })).toMatchObject({ ids, typeIds });
    for (const { a, b, max_length: maxLength, ids } of texts!.truncated) expect(tokenizer.encode(a, { pair: b, maxLength }).ids).toEqual(ids);
  });
});
