import { configToJson, MODEL_TYPES, parseConfig } from "../../config/index.ts";
import { encodeSafetensorsHeader } from "../../checkpoint/safetensors/writer.ts";
import { encodeGguf, type GgufValue } from "../gguf.ts";

// Small valid files of every kind, to be damaged.

const tensor = (dtype: "F32" | "F16" | "I8", shape: readonly number[]) => ({ dtype, shape });

export function safetensorsSample(): Uint8Array {
  const tensors = [{ name: "embed.weight", ...tensor("F32", [3, 4]) }, { name: "norm.bias", ...tensor("F16", [4]) }, { name: "ids", ...tensor("I8", [5]) }];
  const { header } = encodeSafetensorsHeader(tensors.map((one) => ({ ...one, data: new Uint8Array() })), { format: "pt" });
  const file = new Uint8Array(header.length + 48 + 8 + 5);
  file.set(header);
  return file;
}

const words = ["<unk>", "<s>", "</s>", "▁", "a", "b", "ab", "▁a", "▁ab", "c", "bc", "<0x0A>"];
const gguf: Record<string, GgufValue> = {
  "general.architecture": "llama",
  "llama.block_count": 1,
  "llama.embedding_length": 8,
  "llama.attention.head_count": 2,
  "llama.attention.layer_norm_rms_epsilon": 1e-6,
  "llama.context_length": 32,
  "tokenizer.ggml.model": "llama",
  "tokenizer.ggml.tokens": words,
  "tokenizer.ggml.scores": [0, 0, 0, -9, -8, -7, -3, -2, -1, -6, -2.5, -20],
  "tokenizer.ggml.token_type": [2, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 6],
  "tokenizer.ggml.bos_token_id": 1,
  "tokenizer.ggml.eos_token_id": 2,
  "tokenizer.ggml.unknown_token_id": 0,
};
const embedding = { name: "token_embd.weight", shape: [12, 8], type: 0, bytes: new Uint8Array(12 * 8 * 4) };

/** By SentencePiece, and byte-level. */
export const ggufSamples = (): Uint8Array[] => [
  encodeGguf(gguf, [embedding]),
  encodeGguf({ ...gguf, "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "llama-bpe", "tokenizer.ggml.merges": ["a b", "b c"] }, [embedding]),
];

/** config.json of every family, all keys written out. */
export const configSamples = (): string[] => MODEL_TYPES.map((modelType) => JSON.stringify(configToJson(parseConfig({ model_type: modelType }))));

export const generationConfigSample = JSON.stringify({ do_sample: true, temperature: 0.6, top_k: 20, top_p: 0.95, repetition_penalty: 1.1, eos_token_id: [1, 2], max_new_tokens: 99, suppress_tokens: [3], forced_eos_token_id: 2 });

const added = (id: number, content: string, more: object = {}) => ({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true, ...more });
const special = (id: string) => ({ SpecialToken: { id, type_id: 0 } });
const sequence = (id: "A" | "B", type: number) => ({ Sequence: { id, type_id: type } });
const ids = (tokens: readonly string[]) => Object.fromEntries(tokens.map((token, id) => [token, id]));
const template = { type: "TemplateProcessing", single: [special("[CLS]"), sequence("A", 0), special("[SEP]")], pair: [special("[CLS]"), sequence("A", 0), special("[SEP]"), sequence("B", 1)], special_tokens: {} };

/** tokenizer.json of every model: between them most normalizers, pre-tokenizers, post-processors and decoders. */
export const tokenizerSamples: readonly string[] = [
  {
    added_tokens: [added(0, "[PAD]"), added(1, "[UNK]"), added(2, "[CLS]"), added(3, "[SEP]")],
    normalizer: { type: "BertNormalizer", clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: template,
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: { type: "WordPiece", unk_token: "[UNK]", continuing_subword_prefix: "##", max_input_chars_per_word: 100, vocab: ids(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "##b", "the", "##t", "!"]) },
  },
  {
    added_tokens: [added(0, "<unk>"), added(1, "<s>", { rstrip: true }), added(2, "</s>", { special: false, normalized: true })],
    normalizer: { type: "Sequence", normalizers: [{ type: "Prepend", prepend: "▁" }, { type: "Replace", pattern: { String: " " }, content: "▁" }] },
    pre_tokenizer: null,
    post_processor: { type: "RobertaProcessing", sep: ["</s>", 2], cls: ["<s>", 1], trim_offsets: true, add_prefix_space: true },
    decoder: { type: "Sequence", decoders: [{ type: "Replace", pattern: { String: "▁" }, content: " " }, { type: "ByteFallback" }, { type: "Fuse" }, { type: "Strip", content: " ", start: 1, stop: 0 }] },
    model: { type: "BPE", dropout: null, unk_token: "<unk>", fuse_unk: true, byte_fallback: true, vocab: ids(words), merges: [["a", "b"], ["▁", "a"], ["▁", "ab"], ["b", "c"]] },
  },
  {
    added_tokens: [added(9, "<|end|>")],
    normalizer: { type: "NFC" },
    pre_tokenizer: { type: "Sequence", pretokenizers: [{ type: "Split", pattern: { Regex: "(?i:'s|'t)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+" }, behavior: "Isolated", invert: false }, { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false }] },
    post_processor: { type: "Sequence", processors: [{ type: "ByteLevel", trim_offsets: false }, template] },
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: { type: "BPE", vocab: ids(["a", "b", "ab", "Ġ", "Ġa", "t", "h", "e", "!"]), merges: ["a b", "Ġ a"] },
  },
  {
    added_tokens: [added(0, "<pad>"), added(1, "<unk>")],
    normalizer: { type: "Sequence", normalizers: [{ type: "Precompiled", precompiled_charsmap: "" }, { type: "NFKC" }, { type: "Replace", pattern: { Regex: " {2,}" }, content: " " }] },
    pre_tokenizer: { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true },
    post_processor: { type: "BertProcessing", sep: ["<pad>", 0], cls: ["<unk>", 1] },
    decoder: { type: "Metaspace", replacement: "▁", prepend_scheme: "always", split: true },
    model: { type: "Unigram", unk_id: 1, byte_fallback: false, vocab: [["<pad>", 0], ["<unk>", 0], ["▁", -2], ["a", -3], ["b", -3.5], ["ab", -2.5], ["▁a", -1.5]] },
  },
].map((one) => JSON.stringify({ version: "1.0", truncation: null, padding: null, ...one }));

export const tokenizerConfigSample = JSON.stringify({
  bos_token: "<s>",
  eos_token: { content: "</s>", lstrip: false },
  unk_token: "<unk>",
  pad_token: "<pad>",
  additional_special_tokens: ["<|end|>"],
  model_max_length: 512,
  clean_up_tokenization_spaces: true,
  chat_template: "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}<{{ message.role }}>{{ message.content | trim }}{{ '\\n' }}{% endif %}{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}",
});

/** Patterns that take for ever where they are tried, parts that make a text grow, ids that would need gigabytes. */
export const hostileTokenizerParts = [
  "(a+)+$", "(a|a)*b", "(a|ab)*c", "(?:a?){30}a{30}", "a?".repeat(30) + "a".repeat(30), "(\\s*)*x", "(.*)*=", "^(([a-z])+.)+[A-Z]([a-z])+$", "\\s*\\s*\\s*\\s*x", "(a)\\1+", "[", "(?<n>a)\\k<n>",
  { type: "Split", pattern: { Regex: "(a+)+$" }, behavior: "Isolated", invert: false },
  { type: "Split", pattern: { Regex: "a+a+b" }, behavior: "Removed", invert: true },
  { type: "FixedLength", length: 0 },
  { type: "FixedLength", length: 3 },
  { type: "Replace", pattern: { String: "a" }, content: "a".repeat(1000) },
  { type: "Replace", pattern: { Regex: "" }, content: "aa" },
  { type: "Sequence", normalizers: new Array(40).fill({ type: "Replace", pattern: { String: "a" }, content: "aa" }) },
  { type: "Prepend", prepend: "x".repeat(1000) },
  { id: 2 ** 32 - 2, content: "far" },
  { id: 1.5, content: "half" },
  Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`t${i}`, i])),
  Array.from({ length: 2000 }, (_, i) => added(i, `<extra_${i}>`)),
  [["a", "b"], ["ab", "ab"], ["abab", "abab"], ["b", "a"]],
  [["a", "a"], ["aa", "a"], ["a", "aa"]],
];

export const hostileTemplates = [
  "{% for i in range(1000000000) %}x{% endfor %}",
  "{% for a in range(9999) %}{% for b in range(9999) %}{{ a }}{% endfor %}{% endfor %}",
  "{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x }}",
  "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
  "{{ 'a\nb' | indent(1000000000) }}",
  "{{ messages | tojson(indent=1000000000) }}",
  `${"{% if true %}".repeat(3000)}`,
  `{{ ${"(".repeat(3000)}1${")".repeat(3000)} }}`,
  "{{ messages.constructor }}{{ messages['__proto__'] }}",
  "{{ raise_exception('no') }}",
  "{% for message in messages %}{{ message.content[::0] }}{% endfor %}",
  "{{ strftime_now('%d %b %Y') }}",
];
