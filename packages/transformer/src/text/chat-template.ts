import { HeddleError } from "@heddle/kernels";
import { renderTemplate } from "./bounded-template.ts";
import type { Tokenizer } from "./tokenizer.ts";

export interface ChatMessage {
  /** "system", "user", "assistant", or another that the model's template knows. */
  readonly role: string;
  readonly content: string;
}

export interface ChatTemplateOptions {
  /** Ends with what the answer begins with. Default true. */
  readonly addGenerationPrompt?: boolean;
  /** One of several templates by its name; default "default". */
  readonly template?: string;
  /** More variables for the template. */
  readonly variables?: Readonly<Record<string, unknown>>;
}

/**
 * A conversation as the text that the model was trained on, by the `chat_template` of tokenizer_config.json. Its special tokens are
 * spelled out: encode it with `addSpecialTokens: false`.
 *
 * @throws INVALID_ARGUMENT where the tokenizer has no such template, or the template refuses the conversation
 */
export function applyChatTemplate(tokenizer: Tokenizer, messages: readonly ChatMessage[], { addGenerationPrompt = true, template = "default", variables = {} }: ChatTemplateOptions = {}): string {
  const source = templateOf(tokenizer, template);
  const { bos = "", eos = "", pad = "", unk = "" } = tokenizer.specialTokens;
  try {
    return renderTemplate(source, { messages, add_generation_prompt: addGenerationPrompt, bos_token: bos, eos_token: eos, pad_token: pad, unk_token: unk, ...variables }, mostSteps(messages));
  } catch (cause) {
    throw new HeddleError("INVALID_ARGUMENT", `[chat] the model's template refuses these messages (${(cause as Error).message}): most want a system message first at most, then user and assistant in turns`, { cause });
  }
}

/** A message takes some dozens, and its text is looked at a few times; tools some hundreds. A step takes up to 10 µs: what never ends is refused in a few tenths of a second. */
const mostSteps = (messages: readonly ChatMessage[]): number => messages.reduce((steps, { content }) => steps + 1000 + content.length, 30_000);

/** Whether the tokenizer has the template that `applyChatTemplate` takes by default. A model for going on with texts has none. */
export const hasChatTemplate = (tokenizer: Tokenizer): boolean => templatesOf(tokenizer).has("default");

/** By their names. */
function templatesOf({ tokenizerConfig }: Tokenizer): Map<string, string> {
  const stored = tokenizerConfig["chat_template"];
  if (typeof stored === "string") return new Map([["default", stored]]);
  const named = Array.isArray(stored) ? (stored as { name?: unknown; template?: unknown }[]) : [];
  return new Map(named.flatMap(({ name, template }) => (typeof template === "string" ? [[String(name), template]] : [])));
}

function templateOf(tokenizer: Tokenizer, name: string): string {
  const templates = templatesOf(tokenizer);
  const found = templates.get(name);
  if (found !== undefined) return found;
  const known = [...templates.keys()].join(", ");
  throw new HeddleError("INVALID_ARGUMENT", `[chat] the tokenizer has no chat template${known ? ` ${JSON.stringify(name)}, only ${known}` : ""}: it is a model for going on with texts; give it a prompt instead of messages`);
}
