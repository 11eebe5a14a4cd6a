import type { GeneratedToken, StreamDecoder } from "@heddle/transformer";
import { StopStrings } from "./stop-strings.ts";
import type { GeneratedPiece } from "./types.ts";

/** Tokens of one text as pieces of it, up to its first stop string. */
export async function* piecesOf(tokens: AsyncIterable<GeneratedToken>, decoder: StreamDecoder, stopStrings: readonly string[] = []): AsyncGenerator<GeneratedPiece, void, undefined> {
  const stops = new StopStrings(stopStrings);
  for await (const { token, logProbability, finishReason } of tokens) {
    let text = finishReason === "stop" ? "" : stops.push(decoder.push(token));
    if (finishReason) text += stops.push(decoder.flush()) + stops.flush();
    const reason = stops.stopped ? "stop" : finishReason;
    yield { text, token, ...(logProbability !== undefined && { logProbability }), ...(reason && { finishReason: reason }) };
    if (reason) return;
  }
}
