/** Waits where the reader is slow, so that a big file does not pile up in memory. */
export async function writeAll(stream: NodeJS.WritableStream, text: string): Promise<void> {
  if (stream.write(text)) return;
  await new Promise<void>((resolve) => stream.once("drain", resolve));
}
