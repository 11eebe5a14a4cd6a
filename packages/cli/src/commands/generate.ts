import { readFile } from "node:fs/promises";
import { HeddleError, TextGenerator, type JsonSchema, type LoadDtype } from "@heddle/tasks";
import { loadingOptions } from "../screen/loading-progress.ts";
import type { Session } from "../session/session.ts";

export interface GenerateOptions {
  readonly model: string;
  readonly dtype?: LoadDtype;
  readonly maxNewTokens: number;
  readonly temperature: number;
  /** Default: the model's own. */
  readonly topK?: number;
  readonly topP?: number;
  readonly stop?: readonly string[];
  /** A file with a JSON schema. */
  readonly schema?: string;
}

/** `heddle generate`: goes on with a text, token by token as they come. */
export async function generateText(given: readonly string[], options: GenerateOptions, session: Session): Promise<void> {
  const prompt = given.join(" ");
  if (given.length === 0) throw new HeddleError("INVALID_ARGUMENT", "[generate] got no prompt: pass one as an argument");
  const { signal, terminal } = session;
  const schema = options.schema === undefined ? undefined : await readSchemaFile(options.schema);
  session.status.update("loading the model");
  using generator = await TextGenerator.fromPretrained(options.model, { ...loadingOptions(session), dtype: options.dtype });
  session.status.clear();
  const { maxNewTokens, temperature, topK, topP, stop } = options;
  const choices = { maxNewTokens, temperature, topK, topP, seed: session.options.seed, signal, ...(stop && { stopStrings: stop }), ...(schema && { schema }) };
  const started = performance.now();
  const answer: { text: string; tokens: number; finishReason: string; value?: unknown } = { text: "", tokens: 0, finishReason: "" };
  for await (const { text, finishReason, value } of generator.stream(prompt, choices)) {
    answer.text += text;
    if (value !== undefined) answer.value = value;
    answer.tokens++;
    answer.finishReason = finishReason ?? "";
    if (session.options.json) session.event({ type: "token", text });
    else terminal.out.write(text);
  }
  const tokensPerSecond = (1000 * answer.tokens) / (performance.now() - started);
  session.result({ ...answer, tokensPerSecond: Number(tokensPerSecond.toFixed(2)) }, () => "\n");
}

async function readSchemaFile(file: string): Promise<JsonSchema> {
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new HeddleError("FILE_UNREADABLE", `[generate] ${file} could not be read (${(cause as Error).message}): pass a file with a JSON schema`, { cause });
  });
  try {
    const schema: unknown = JSON.parse(text);
    if (typeof schema === "object" && schema !== null && !Array.isArray(schema)) return schema as JsonSchema;
  } catch {
    // Said below.
  }
  throw new HeddleError("SCHEMA_INVALID", `[generate] ${file} holds no JSON object: write a JSON schema, such as {"type": "object", "properties": {"late": {"type": "boolean"}}, "required": ["late"]}`);
}
