/**
 * The lines of a stream as they come in: one array per piece that arrived, so that whoever waits for answers gets them
 * line by line, and a file goes through in large batches. Ends at `\n` or `\r\n` only; a last line needs no end.
 */
export async function* linesAsTheyCome(stream: AsyncIterable<Uint8Array | string>): AsyncGenerator<string[], void, undefined> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const piece of stream) {
    const lines = (rest + (typeof piece === "string" ? piece : decoder.decode(piece, { stream: true }))).split("\n");
    rest = lines.pop()!;
    if (lines.length > 0) yield lines.map(withoutReturn);
  }
  rest += decoder.decode();
  if (rest !== "") yield [withoutReturn(rest)];
}

function withoutReturn(line: string): string {
  return line.endsWith("\r") ? line.slice(0, -1) : line;
}
