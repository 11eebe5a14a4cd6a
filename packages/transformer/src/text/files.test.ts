import { expect, it } from "vitest";
import { tokenizerSamples } from "../testing/fuzz/samples.ts";
import { loadTokenizer } from "./tokenizer.ts";

const changed = (sample: number, change: object) => () => loadTokenizer({ ...(JSON.parse(tokenizerSamples[sample]!) as object), ...change });

it("says what is wrong in a tokenizer.json, and passes over keys that a part does not have", () => {
  expect(changed(0, { normalizer: { type: "Replace", pattern: { String: "a" }, content: "b", normalizers: [null] } })).not.toThrow();
  expect(changed(0, { pre_tokenizer: { type: "Split", pattern: { Regex: "(a+)+$" } } })).toThrow(/pre_tokenizer.*could take for ever, as it repeats "\(a\+\)\+"/);
  expect(changed(0, { pre_tokenizer: { type: "FixedLength", length: 0 } })).toThrow(/pre_tokenizer/);
  expect(changed(0, { added_tokens: [{ id: 2 ** 32 - 2, content: "far" }] })).toThrow(/added_tokens\.0\.id/);
  expect(changed(1, { normalizer: { type: "Sequence", normalizers: new Array(10).fill({ type: "Replace", pattern: { String: "a" }, content: "aa" }) } })).toThrow(/1024 times as long, more than 64/);
});
