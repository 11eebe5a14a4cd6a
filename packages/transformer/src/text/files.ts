import { HeddleError } from "@heddle/kernels";
import { z } from "zod";
import { patternProblem } from "./pattern-cost.ts";

// What tokenizer.json and tokenizer_config.json must look like before the library builds anything from them: it reads them as
// they come, and a wrong type would show in the middle of a text, or never end.

/** Far above any vocabulary: the library keeps a place for each id up to the highest. */
const MOST_TOKENS = 2 ** 22;
/** Parts in a chain of normalizers, pre-tokenizers or decoders. */
const MOST_PARTS = 64;
/** How much longer the replacements of a chain may make a text. */
const MOST_GROWTH = 64;

const tokenId = z.int().min(0).max(MOST_TOKENS - 1);
const flag = z.boolean().nullish();
const text = z.string().nullish();

const pattern = z.union([
  z.object({ String: z.string() }),
  z.object({
    Regex: z.string().superRefine((source, context) => {
      const problem = patternProblem(source);
      if (problem) context.addIssue({ code: "custom", message: `the pattern ${JSON.stringify(source.slice(0, 60))} could take for ever, as ${problem}` });
    }),
  }),
]);

const part = <T extends string, S extends z.ZodRawShape>(type: T, keys: S) => z.object({ type: z.literal(type), ...keys });
const plain = <T extends string>(types: readonly [T, ...T[]]) => z.object({ type: z.literal(types) });

const normalizer: z.ZodType = z.lazy(() => z.discriminatedUnion("type", [
  plain(["Precompiled", "NFC", "NFD", "NFKC", "NFKD", "StripAccents", "Lowercase"]),
  part("BertNormalizer", { clean_text: flag, handle_chinese_chars: flag, strip_accents: flag, lowercase: flag }),
  part("Strip", { strip_left: flag, strip_right: flag }),
  part("Prepend", { prepend: z.string() }),
  part("Replace", { pattern, content: text }),
  part("Sequence", { normalizers: z.array(normalizer) }),
]));

const preTokenizer: z.ZodType = z.lazy(() => z.discriminatedUnion("type", [
  plain(["BertPreTokenizer", "Whitespace", "WhitespaceSplit", "Punctuation"]),
  part("Metaspace", { replacement: text, str_rep: text, prepend_scheme: text }),
  part("ByteLevel", { add_prefix_space: flag, trim_offsets: flag, use_regex: flag }),
  part("Split", { pattern, invert: flag, behavior: text }),
  part("Digits", { individual_digits: flag }),
  part("Replace", { pattern, content: text }),
  part("FixedLength", { length: z.int().positive() }),
  part("Sequence", { pretokenizers: z.array(preTokenizer) }),
]));

const decoder: z.ZodType = z.lazy(() => z.discriminatedUnion("type", [
  plain(["ByteLevel", "Fuse", "ByteFallback"]),
  part("WordPiece", { prefix: z.string(), cleanup: flag }),
  part("Metaspace", { replacement: text, prepend_scheme: text }),
  part("BPEDecoder", { suffix: text }),
  part("CTC", { pad_token: text, word_delimiter_token: text, cleanup: flag }),
  part("Replace", { pattern, content: text }),
  part("Strip", { content: text, start: z.int().nonnegative().nullish(), stop: z.int().nonnegative().nullish() }),
  part("Sequence", { decoders: z.array(decoder) }),
]));

const templatePiece = z.union([
  z.object({ SpecialToken: z.object({ id: z.string(), type_id: z.int().nonnegative() }) }),
  z.object({ Sequence: z.object({ id: z.enum(["A", "B"]), type_id: z.int().nonnegative() }) }),
]);
const ending = z.tuple([z.string(), tokenId]);

const postProcessor: z.ZodType = z.lazy(() => z.discriminatedUnion("type", [
  part("TemplateProcessing", { single: z.array(templatePiece), pair: z.array(templatePiece) }),
  plain(["ByteLevel"]),
  part("BertProcessing", { sep: ending, cls: ending }),
  part("RobertaProcessing", { sep: ending, cls: ending }),
  part("Sequence", { processors: z.array(postProcessor) }),
]));

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);
const isTokenId = (value: unknown) => Number.isInteger(value) && (value as number) >= 0 && (value as number) < MOST_TOKENS;
const isText = (value: unknown) => typeof value === "string";

// Of a few hundred thousand entries each: zod would take a second over them.
const vocabulary = z.custom<Record<string, number>>((value) => isRecord(value) && Object.values(value).every(isTokenId), `must give each token an id below ${MOST_TOKENS}`);
const merges = z.custom((value) => Array.isArray(value) && (value.every(isText) || value.every((pair) => Array.isArray(pair) && pair.length === 2 && pair.every(isText))), "must list pairs of tokens");
const scores = z.custom<[string, number][]>((value) => Array.isArray(value) && value.length > 0 && value.length < MOST_TOKENS && value.every((one) => Array.isArray(one) && isText(one[0]) && typeof one[1] === "number"), "must list tokens with their scores");

const model = z.union([
  z.object({ type: z.literal("BPE").nullish(), vocab: vocabulary, merges, unk_token: text, end_of_word_suffix: text, continuing_subword_prefix: text, continuing_subword_suffix: text, fuse_unk: flag, byte_fallback: flag, ignore_merges: flag }),
  z.object({ type: z.literal("WordPiece").nullish(), vocab: vocabulary, unk_token: z.string(), continuing_subword_prefix: z.string(), max_input_chars_per_word: z.int().positive().nullish() }),
  z.object({ type: z.literal("Unigram").nullish(), vocab: scores, unk_id: z.int().nonnegative().nullish() }).refine(({ vocab, unk_id: unknown }) => unknown == null || unknown < vocab.length, "unk_id is the id of no token"),
  z.object({ type: z.literal("WordLevel"), vocab: vocabulary, unk_token: text }),
]);

const addedToken = z.object({ id: tokenId, content: z.string(), single_word: flag, lstrip: flag, rstrip: flag, normalized: flag, special: flag });

const tokenizerSchema = z.object({
  added_tokens: z.array(addedToken),
  normalizer: normalizer.nullable(),
  pre_tokenizer: preTokenizer.nullable(),
  post_processor: postProcessor.nullable(),
  decoder: decoder.nullable(),
  model,
});

const tokenText = z.union([z.string(), z.object({ content: z.string() })]).nullish();

const configSchema = z.object({
  ...Object.fromEntries(["pad", "unk", "cls", "sep", "mask", "bos", "eos"].map((role) => [`${role}_token`, tokenText])),
  additional_special_tokens: z.array(z.unknown()).nullish(),
  model_max_length: z.number().nullish(),
  chat_template: z.union([z.string(), z.array(z.object({ name: z.string(), template: z.string() }))]).nullish(),
  remove_space: flag,
  do_lowercase_and_remove_accent: flag,
  clean_up_tokenization_spaces: flag,
});

/** Throws TOKENIZER_INVALID, which names what is wrong in the two files. */
export function checkTokenizerFiles(tokenizerJson: Readonly<Record<string, unknown>>, tokenizerConfig: Readonly<Record<string, unknown>>): void {
  check("tokenizer.json", tokenizerSchema, tokenizerJson);
  check("tokenizer_config.json", configSchema, tokenizerConfig);
  checkChain(tokenizerJson["normalizer"], tokenizerJson["pre_tokenizer"]);
  checkChain(tokenizerJson["decoder"]);
}

function check(file: string, schema: z.ZodType, json: unknown): void {
  let result;
  try {
    result = schema.safeParse(json);
  } catch (cause) {
    // Parts nested so deeply that the stack ends.
    throw new HeddleError("TOKENIZER_INVALID", `[${file}] is nested too deeply to be read: download it again`, { cause });
  }
  if (result.success) return;
  const problems = result.error.issues.slice(0, 5).map(({ path, message }) => `${path.join(".").slice(0, 80) || "(whole file)"}: ${message}`);
  throw new HeddleError("TOKENIZER_INVALID", `[${file}] ${problems.join("; ")}: export it with Python's tokenizers, or download it again`, { cause: result.error });
}

/** A part of a chain, as the schemas have found it. */
type Part = { readonly pattern?: { readonly String?: string }; readonly content?: string | null; readonly replacement?: string | null; readonly str_rep?: string | null } & Readonly<Record<"normalizers" | "pretokenizers" | "decoders", readonly Part[] | undefined>>;

/** Replacements of replacements could make a word into gigabytes. */
function checkChain(...chain: unknown[]): void {
  const parts = flatten(chain.filter((one) => one != null) as Part[]);
  if (parts.length > MOST_PARTS) throw new HeddleError("TOKENIZER_INVALID", `[tokenizer.json] has a chain of ${parts.length} steps, more than ${MOST_PARTS}: export it with Python's tokenizers, or download it again`);
  const growth = parts.reduce((product, { pattern: found, content, replacement, str_rep: spaces }) => {
    const longer = Math.max(content?.length ?? 0, replacement?.length ?? 0, spaces?.length ?? 0);
    return product * Math.max(1, longer / Math.max(1, found?.String?.length ?? 1));
  }, 1);
  if (growth > MOST_GROWTH) throw new HeddleError("TOKENIZER_INVALID", `[tokenizer.json] has replacements that together make texts ${Math.round(growth)} times as long, more than ${MOST_GROWTH}: export it with Python's tokenizers, or download it again`);
}

/** A part may have keys that only others use, and whatever in them. */
const innerParts = (one: Part): Part[] => [one.normalizers, one.pretokenizers, one.decoders].flatMap((list: unknown) => (Array.isArray(list) ? (list.filter(isRecord) as unknown as Part[]) : []));

const flatten = (parts: readonly Part[]): Part[] => parts.flatMap((one) => [one, ...flatten(innerParts(one))]);
