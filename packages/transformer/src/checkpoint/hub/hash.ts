import type { ByteSource } from "../source/byte-source.ts";
import { isNode, nodeModules } from "../source/node.ts";

/** What the Hub says of a file's content: SHA-256 of what git LFS keeps, else git's own name of a blob. */
export interface ContentHash {
  readonly algorithm: "sha256" | "git-sha1";
  /** Lower-case hexadecimal digits. */
  readonly hex: string;
}

interface Hasher {
  update(bytes: Uint8Array): unknown;
  digest(): Uint8Array;
}

const PIECE_BYTES = 1024 * 1024;

/** The hash of all bytes of a file, read a MiB at a time. */
export async function hashOf(source: Pick<ByteSource, "sizeBytes" | "readRange">, algorithm: ContentHash["algorithm"], signal?: AbortSignal): Promise<string> {
  const hasher = await hasherOf(algorithm);
  // Git hashes a blob with its kind and size before it (git-hash-object(1)).
  if (algorithm === "git-sha1") hasher.update(new TextEncoder().encode(`blob ${source.sizeBytes}\0`));
  for (let begin = 0; begin < source.sizeBytes; begin += PIECE_BYTES) {
    signal?.throwIfAborted();
    hasher.update(await source.readRange(begin, Math.min(source.sizeBytes, begin + PIECE_BYTES)));
  }
  return Array.from(hasher.digest(), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Node's is native; a page's Web Crypto takes whole contents only, so there it is JavaScript. */
async function hasherOf(algorithm: ContentHash["algorithm"]): Promise<Hasher> {
  if (isNode()) return nodeModules("hub").crypto.createHash(algorithm === "sha256" ? "sha256" : "sha1");
  const { sha1, sha256 } = await import("./page-hashes.ts");
  return (algorithm === "sha256" ? sha256 : sha1).create();
}
