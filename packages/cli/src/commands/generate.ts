import { HeddleError, TextGenerator, type LoadDtype } from "@heddle/tasks";
import { loadingOptions } from "../screen/loading-progress.ts";
import type { Session } from "../session/session.ts";

export interface GenerateOptions {
  readonly model: string;
  readonly dtype?: LoadDtype;
  readonly maxNewTokens: number;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly stop?: readonly string[];
}

/** `heddle generate`: goes on with a text, token by token as they come. */
export async function generateText(given: readonly string[], options: GenerateOptions, session: Session): Promise<void> {
  const prompt = given.join(" ");
  if (given.length === 0) throw new HeddleError("INVALID_ARGUMENT", "[generate] got no prompt: pass one as an argument");
  const { signal, terminal } = session;
  session.status.update("loading the model");
  using generator = await TextGenerator.fromPretrained(options.model, { ...loadingOptions(session), dtype: options.dtype });
  session.status.clear();
  const { model: _, dtype: __, stop, ...choices } = options;
  const started = performance.now();
  const answer = { text: "", tokens: 0, finishReason: "" };
  for await (const { text, finishReason } of generator.stream(prompt, { ...choices, seed: session.options.seed, signal, ...(stop && { stopStrings: stop }) })) {
    answer.text += text;
    answer.tokens++;
    answer.finishReason = finishReason ?? "";
    if (session.options.json) session.event({ type: "token", text });
    else terminal.out.write(text);
  }
  const tokensPerSecond = (1000 * answer.tokens) / (performance.now() - started);
  session.result({ ...answer, tokensPerSecond: Number(tokensPerSecond.toFixed(2)) }, () => "\n");
}
