import { describe, expect, it } from "vitest";
import { applyChatTemplate } from "./chat-template.ts";
import { patternProblem } from "./pattern-cost.ts";
import { loadTokenizer } from "./tokenizer.ts";

/** How published tokenizers cut their texts: GPT-2, Llama 3, Qwen 2, GPT-4o, DeepSeek, BLOOM, StarCoder's and Command R's numbers, CLIP. */
const PUBLISHED = [
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  " ?[^(\\s|[.,!?…。，、।۔،])]+",
  "\\p{N}{1,3}(?=(?:\\p{N}{3})*(?!\\p{N}))",
  "\\d{1,3}(?=(?:\\d{3})*\\b)",
  "<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+",
  "[一-龥぀-ゟ゠-ヿ]+",
  "\\s?\\p{L}+",
  "(?:\\r\\n|\\n)+",
  " {2,}",
];

const ENDLESS: [pattern: string, why: RegExp][] = [
  ["(a+)+$", /several ways/],
  ["(?:a|a)*b", /several ways/],
  ["(.*)*=", /several ways/],
  ["(?:a?){30}a{30}", /several ways/],
  ["^(([a-z])+.)+[A-Z]", /several ways/],
  ["a{1,2}{1,2}{1,9}b", /several ways/],
  ["a?".repeat(30) + "a".repeat(30), /optional parts/],
  ["\\s*\\s*\\s*x", /3 repetitions in a row/],
  ["(?=a+a+a+b)", /3 repetitions in a row/],
  ["(a)\\1+", /found before/],
  ["(?<n>a)\\k<n>", /found before/],
  ["a)", /does not open/],
];

describe("patterns of a tokenizer", () => {
  it.each(PUBLISHED)("%s is taken", (pattern) => expect(patternProblem(pattern)).toBeUndefined());
  it.each(ENDLESS)("%s is refused", (pattern, why) => expect(patternProblem(pattern)).toMatch(why));
});

describe("a chat template", () => {
  const render = (template: string, messages = [{ role: "user", content: "hello" }]) =>
    applyChatTemplate(loadTokenizer({ added_tokens: [], normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null, model: { type: "BPE", vocab: { a: 0 }, merges: [] } }, { chat_template: template }), messages);

  it("has the library's globals", () => {
    expect(render("{% for i in range(3) %}{{ i }}{% endfor %}{% for i in range(5, 1, -2) %}{{ i }}{% endfor %}")).toBe("01253");
    expect(render("{{ strftime_now('%Y') }}")).toMatch(/^\d{4}$/);
    expect(render("{% if true and not false and none is none %}yes{% endif %}{{ messages | tojson(indent=2) | length > 9 }}")).toBe("yestrue");
    expect(() => render("{{ raise_exception('only one') }}")).toThrow(/refuses these messages \(only one\)/);
    const long = Array.from({ length: 2000 }, () => ({ role: "user", content: "hello" }));
    expect(render("{% for message in messages %}{% if message.role == 'user' %}{{ loop.index0 }}{{ message.content | trim + '\n' }}{% endif %}{% endfor %}", long)).toContain("1999hello");
  });

  it.each([
    "{% for i in range(1000000000) %}x{% endfor %}",
    "{% for a in range(9999) %}{% for b in range(9999) %}{{ a }}{% endfor %}{% endfor %}",
    "{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{{ 'a' | indent(1000000000) }}",
    "{{ messages | tojson(indent=1000000000) }}",
  ])("%s is stopped", (template) => expect(() => render(template)).toThrow(/refuses these messages/));
});
