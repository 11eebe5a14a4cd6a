import type { ByteSource } from "../../source/byte-source.ts";
import type { ContentHash } from "../hash.ts";

/** A file of a repository at one commit. */
export interface HubFile {
  /** In the repository, with slashes. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly hash: ContentHash;
}

/** What is kept of one repository. Contents lie under their hashes, so that commits share what did not change. */
export interface HubStore {
  /** For messages: where it is. */
  readonly place: string;
  /** A small text by its name; undefined where there is none. */
  readText(name: string): Promise<string | undefined>;
  writeText(name: string, text: string): Promise<void>;
  /** A file that is there, whole and checked; undefined for all others. */
  open(file: HubFile): Promise<ByteSource | undefined>;
  /**
   * The sole right to write a file; waits for whoever has it.
   *
   * @param onWait called once, with who that is
   */
  claim(file: HubFile, onWait: (who: string) => void, signal?: AbortSignal): Promise<PartialFile>;
}

/** A file on its way in. What was appended stays when the process dies. */
export interface PartialFile {
  readonly sizeBytes: number;
  /** Throws DISK_FULL where the rest of the file does not fit. */
  requireRoom(): Promise<void>;
  append(bytes: Uint8Array): Promise<void>;
  readRange(begin: number, end: number): Promise<Uint8Array<ArrayBuffer>>;
  /** Lets go of all its bytes. */
  clear(): Promise<void>;
  /** Makes it what `open` finds. */
  publish(): Promise<void>;
  /** Gives the right back; what is there stays. */
  release(): Promise<void>;
}
