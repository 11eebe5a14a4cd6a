import { HeddleError } from "@heddle/kernels";
import { invalid, type GgufFile } from "./file.ts";

// tokenizer.json and tokenizer_config.json from a GGUF file's metadata.

/** ggml's kinds of tokens. */
const CONTROL = 3;
const USER_DEFINED = 4;

interface Vocabulary {
  readonly tokens: readonly string[];
  readonly kinds: readonly number[];
}

export interface TokenizerFiles {
  readonly tokenizer: Record<string, unknown>;
  readonly config: Record<string, unknown>;
}

/** Errors: GGUF_INVALID, TOKENIZER_INVALID for a kind that is not known. */
export function tokenizerOf(file: GgufFile): TokenizerFiles {
  const { metadata, source } = file;
  const read = (key: string) => metadata[`tokenizer.ggml.${key}`];
  const listOf = <T>(key: string, type: "string" | "number"): T[] => {
    const list = read(key) ?? [];
    if (!Array.isArray(list) || !list.every((item) => typeof item === type)) throw invalid(source, `has a tokenizer.ggml.${key} that is no list of ${type}s`);
    return list as T[];
  };
  const tokens = listOf<string>("tokens", "string");
  if (tokens.length === 0) throw invalid(source, "has no list of tokens");
  const vocabulary = { tokens, kinds: listOf<number>("token_type", "number") };
  const token = (key: string) => (typeof read(key) === "number" ? tokens[read(key) as number] : undefined);
  const [bos, eos, unk, pad] = [token("bos_token_id"), token("eos_token_id"), token("unknown_token_id"), token("padding_token_id")];
  const shared = { version: "1.0", added_tokens: addedTokens(vocabulary), post_processor: postProcessor(bos, eos, read("add_bos_token") !== false && bos !== undefined, read("add_eos_token") === true, vocabulary) };
  const config = { tokenizer_class: "PreTrainedTokenizerFast", ...(bos && { bos_token: bos }), ...(eos && { eos_token: eos }), ...(unk && { unk_token: unk }), ...(pad && { pad_token: pad }), ...(typeof read("chat_template") === "string" && { chat_template: read("chat_template") }) };
  const model = read("model");
  if (model === "llama") return { tokenizer: { ...shared, ...sentencePiece(vocabulary, listOf<number>("scores", "number"), unk, read("add_space_prefix") !== false) }, config };
  if (model === "gpt2") return { tokenizer: { ...shared, ...byteLevel(vocabulary, listOf<string>("merges", "string"), String(read("pre") ?? "default"), source.label) }, config };
  throw new HeddleError("TOKENIZER_INVALID", `[${source.label}] has a tokenizer of the kind ${JSON.stringify(model)}; known in GGUF files are llama and gpt2: use the model's safetensors folder`);
}

function addedTokens({ tokens, kinds }: Vocabulary): object[] {
  return tokens.flatMap((content, id) => {
    const kind = kinds[id];
    // Runs of spaces are spelled with ▁ and never stand in a text as they are.
    if (content === "" || (kind !== CONTROL && (kind !== USER_DEFINED || content.includes("▁")))) return [];
    return [{ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: kind === CONTROL }];
  });
}

function postProcessor(bos: string | undefined, eos: string | undefined, addsBos: boolean, addsEos: boolean, { tokens }: Vocabulary): object {
  const special = (token: string | undefined) => (token === undefined ? [] : [{ SpecialToken: { id: token, type_id: 0 } }]);
  const [before, after] = [addsBos ? special(bos) : [], addsEos ? special(eos) : []];
  const sequence = (id: "A" | "B") => [...before, { Sequence: { id, type_id: id === "A" ? 0 : 1 } }, ...after];
  const used = [...(addsBos && bos ? [bos] : []), ...(addsEos && eos ? [eos] : [])];
  return {
    type: "TemplateProcessing",
    single: sequence("A"),
    pair: [...sequence("A"), ...sequence("B")],
    special_tokens: Object.fromEntries(used.map((token) => [token, { id: token, ids: [tokens.indexOf(token)], tokens: [token] }])),
  };
}

/** SentencePiece's BPE: the pair whose joined piece has the best score goes first, so merges by score are the same rule. */
function sentencePiece({ tokens, kinds }: Vocabulary, scores: readonly number[], unk: string | undefined, prefix: boolean): Record<string, unknown> {
  const ids = new Map(tokens.map((token, id) => [token, id]));
  // Few, and where a damaged file has a token of many thousand characters, no piece of it is worth cutting out.
  const lengths = new Set(tokens.map(({ length }) => length));
  const merges: { readonly pair: [string, string]; readonly score: number; readonly left: number; readonly right: number }[] = [];
  tokens.forEach((token, id) => {
    if (kinds[id] === CONTROL || token.length < 2) return;
    for (const at of lengths) {
      if (at >= token.length || !lengths.has(token.length - at)) continue;
      const [left, right] = [token.slice(0, at), token.slice(at)];
      const [first, second] = [ids.get(left), ids.get(right)];
      if (first !== undefined && second !== undefined) merges.push({ pair: [left, right], score: scores[id] ?? 0, left: first, right: second });
    }
  });
  merges.sort((a, b) => b.score - a.score || a.left - b.left || a.right - b.right);
  const spaces = { type: "Replace", pattern: { String: " " }, content: "▁" };
  const strip = { type: "Strip", content: " ", start: 1, stop: 0 };
  return {
    normalizer: prefix ? { type: "Sequence", normalizers: [{ type: "Prepend", prepend: "▁" }, spaces] } : spaces,
    pre_tokenizer: null,
    decoder: { type: "Sequence", decoders: [{ type: "Replace", pattern: { String: "▁" }, content: " " }, { type: "ByteFallback" }, { type: "Fuse" }, ...(prefix ? [strip] : [])] },
    model: { type: "BPE", dropout: null, unk_token: unk ?? null, continuing_subword_prefix: null, end_of_word_suffix: null, fuse_unk: true, byte_fallback: true, vocab: Object.fromEntries(ids), merges: merges.map(({ pair }) => pair) },
  };
}

const bytes = (cutsLikeGpt2: boolean) => ({ type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: cutsLikeGpt2 });
const cutBy = (pattern: string) => [{ type: "Split", pattern: { Regex: pattern }, behavior: "Isolated", invert: false }, bytes(false)];
/** Up to `digits` of a number in one piece. */
const likeLlama3 = (digits: string) => cutBy(`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`);
const [upper, lower] = ["[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]", "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"];
const likeGpt4o = [`${upper}*${lower}+`, `${upper}+${lower}*`].map((word) => `[^\\r\\n\\p{L}\\p{N}]?${word}(?i:'s|'t|'re|'ve|'m|'ll|'d)?|`).join("");

interface CuttingRule {
  /** Pre-tokenizers, as in tokenizer.json. */
  readonly cut: readonly object[];
  readonly normalizer?: object;
  /** A piece that is a token as it stands is not made of merges. */
  readonly ignoresMerges?: boolean;
}

const GPT2: CuttingRule = { cut: [bytes(true)] };
const LLAMA3: CuttingRule = { cut: likeLlama3("{1,3}"), ignoresMerges: true };

/** How the text is cut before merging, by llama.cpp's name for it. */
const RULES: Readonly<Record<string, CuttingRule>> = {
  default: GPT2,
  "gpt-2": GPT2,
  smollm: { cut: [{ type: "Digits", individual_digits: true }, bytes(true)] },
  "llama-bpe": LLAMA3,
  llama3: LLAMA3,
  "smaug-bpe": { cut: LLAMA3.cut },
  qwen2: { cut: likeLlama3(""), normalizer: { type: "NFC" } },
  "gpt-4o": { cut: cutBy(`${likeGpt4o}\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`) },
};

function byteLevel({ tokens }: Vocabulary, merges: readonly string[], pre: string, label: string): Record<string, unknown> {
  const rule = Object.hasOwn(RULES, pre) ? RULES[pre] : undefined;
  if (!rule) throw new HeddleError("TOKENIZER_INVALID", `[${label}] cuts texts by the rule ${JSON.stringify(pre)}; known are ${Object.keys(RULES).join(", ")}: use the model's safetensors folder`);
  const { cut, normalizer = null, ignoresMerges = false } = rule;
  return {
    normalizer,
    pre_tokenizer: { type: "Sequence", pretokenizers: cut },
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: { type: "BPE", dropout: null, unk_token: null, continuing_subword_prefix: "", end_of_word_suffix: "", fuse_unk: false, byte_fallback: false, ignore_merges: ignoresMerges, vocab: Object.fromEntries(tokens.map((token, id) => [token, id])), merges: merges.map((merge) => merge.split(" ")) },
  };
}
