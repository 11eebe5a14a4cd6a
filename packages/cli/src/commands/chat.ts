import { addAbortSignal } from "node:stream";
import { HeddleError, TextGenerator, type ChatMessage } from "@heddle/tasks";
import { linesAsTheyCome } from "../data/lines.ts";
import { loadingOptions } from "../screen/loading-progress.ts";
import type { Session } from "../session/session.ts";
import type { GenerateOptions } from "./generate.ts";

export interface ChatOptions extends Omit<GenerateOptions, "schema"> {
  readonly system?: string;
}

/** `heddle chat`: a conversation, one line a message; the model reads only what is new. */
export async function chat({ model, dtype, system, stop, ...choices }: ChatOptions, session: Session): Promise<void> {
  const { signal, terminal } = session;
  session.status.update("loading the model");
  using generator = await TextGenerator.fromPretrained(model, { ...loadingOptions(session), dtype });
  session.status.clear();
  if (!generator.hasChatTemplate) throw new HeddleError("INVALID_ARGUMENT", `[chat] ${model} has no chat template: it is a model for going on with texts; use heddle generate, or a model whose name says chat or instruct`);
  const messages: ChatMessage[] = system === undefined ? [] : [{ role: "system", content: system }];
  const ask = () => (terminal.stdin.isTTY ? terminal.out.write(terminal.out.colors.bold("you: ")) : undefined);
  if (terminal.stdin.isTTY) session.log("one message a line; Ctrl-D ends");
  ask();
  for await (const lines of linesAsTheyCome(addAbortSignal(signal, terminal.stdin))) {
    for (const line of lines.filter((text) => text.trim() !== "")) {
      messages.push({ role: "user", content: line });
      let answer = "";
      for await (const { text } of generator.stream(messages, { ...choices, seed: session.options.seed, signal, ...(stop && { stopStrings: stop }) })) {
        answer += text;
        if (!session.options.json) terminal.out.write(text);
      }
      messages.push({ role: "assistant", content: answer });
      session.event({ type: "answer", text: answer });
      if (!session.options.json) terminal.out.write("\n");
      ask();
    }
  }
}
