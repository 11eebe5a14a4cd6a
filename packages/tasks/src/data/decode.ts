/** A file as text, with `\n` for every kind of line end. */
export interface DecodedText {
  readonly text: string;
  /** 1-based lines with bytes that are no UTF-8; such bytes stand in `text` as U+FFFD. */
  readonly undecodableLines: ReadonlySet<number>;
}

export type TableSource = string | Uint8Array | Blob | ReadableStream<Uint8Array>;

/** A string is taken as the content itself. UTF-8 with or without a byte order mark; UTF-16 (Excel's "Unicode text") by its mark. */
export async function decodeText(source: TableSource): Promise<DecodedText> {
  if (typeof source === "string") return { text: plainLines(source), undecodableLines: new Set() };
  const bytes = await bytesOf(source);
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return { text: plainLines(new TextDecoder("utf-16le").decode(bytes)), undecodableLines: new Set() };
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return { text: plainLines(new TextDecoder("utf-16be").decode(bytes)), undecodableLines: new Set() };
  return { text: plainLines(new TextDecoder().decode(bytes)), undecodableLines: undecodableLines(bytes) };
}

/** Reads a source to its end; a stream can be read once. */
export async function bytesOf(source: Exclude<TableSource, string>): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source;
  return new Uint8Array(await (source instanceof Blob ? source : new Response(source)).arrayBuffer());
}

/** Drops a byte order mark. A lone CR ends a line only in files without any LF, as old Macs wrote them. */
function plainLines(text: string): string {
  const withoutMark = text.startsWith("\ufeff") ? text.slice(1) : text;
  if (!withoutMark.includes("\r")) return withoutMark;
  return withoutMark.includes("\n") ? withoutMark.replaceAll("\r\n", "\n") : withoutMark.replaceAll("\r", "\n");
}

function undecodableLines(bytes: Uint8Array): Set<number> {
  const lines = new Set<number>();
  if (isUtf8(bytes)) return lines;
  const lineEnd = bytes.includes(0x0a) ? 0x0a : 0x0d;
  for (let begin = 0, line = 1; begin < bytes.length; line++) {
    const found = bytes.indexOf(lineEnd, begin);
    const end = found < 0 ? bytes.length : found;
    if (!isUtf8(bytes.subarray(begin, end))) lines.add(line);
    begin = end + 1;
  }
  return lines;
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}
