import type { FileHandle } from "node:fs/promises";
import { formatShape, HeddleError } from "@heddle/kernels";
import { lockFolder, openFileSource, SafetensorsReader, statesToWrite, syncFolder, writeSafetensors, type FolderLock, type Model } from "@heddle/transformer";
import { ITEM_TABLE } from "../item-table.ts";
import { readWeights, type Weights } from "../weights.ts";
import { checkBeginning, parseRecord, type JournalBeginning, type JournalRecord } from "./journal-records.ts";

const EVENTS_FILE = "updates.jsonl";
const WEIGHTS_FILE = /^weights-(\d+)\.safetensors$/;
const NEWLINE = 0x0a;

/** What a folder of updates held when it was opened. */
export interface JournalReport {
  /** Events that histories have from it. */
  readonly numEvents: number;
  /** Number of the weights that serve now; 0 for those that the recommender was made with. */
  readonly generation: number;
  /** Events that still wait to be learnt. */
  readonly waiting: number;
  /** Of a last line that was never finished: the batch that was being written when the process was killed. 0 as a rule. */
  readonly tornBytes: number;
}

/**
 * A folder with all updates of a recommender (Node): a log to which each call adds a line, flushed to the disk before the call ends, and
 * the weights that serve, beside those before them, each file written whole or not at all. One process at a time holds it.
 */
export class Journal {
  private constructor(
    private readonly lock: FolderLock,
    private readonly log: FileHandle,
    private sizeBytes: number,
  ) {}

  get folder(): string {
    return this.lock.folder;
  }

  /**
   * @returns the records since the beginning, and what was cut off at the end
   * @throws FOLDER_IN_USE, FOLDER_NOT_WRITABLE, NODE_REQUIRED; CHECKPOINT_INVALID for a line that is damaged and not the last;
   * CHECKPOINT_MISMATCH for updates of other weights
   */
  static async open(folder: string, model: Model): Promise<{ journal: Journal; records: readonly JournalRecord[]; tornBytes: number }> {
    const { fs, path } = nodeFiles(folder);
    const lock = await lockFolder(folder);
    let log: FileHandle | undefined;
    try {
      const file = path.join(lock.folder, EVENTS_FILE);
      log = await fs.open(file, "a+");
      const { records, sizeBytes, tornBytes } = await readRecords(log, file);
      if (tornBytes > 0) await log.truncate(sizeBytes);
      const journal = new Journal(lock, log, sizeBytes);
      const beginning: JournalBeginning = { type: "journal", version: 1, architecture: model.architecture.name, weights: await fingerprint(model) };
      if (records.length > 0) checkBeginning(records[0], beginning, file);
      else {
        await journal.append(beginning);
        await syncFolder(lock.folder);
      }
      return { journal, records: records.slice(1), tornBytes };
    } catch (error) {
      await log?.close();
      await lock.release();
      throw error;
    }
  }

  /** On the disk when it resolves. Throws DISK_FULL, FOLDER_NOT_WRITABLE; the log then is as it was. */
  async append(record: JournalRecord): Promise<void> {
    const line = Buffer.from(`${JSON.stringify(record)}\n`);
    try {
      await this.log.appendFile(line);
      await this.log.datasync();
      this.sizeBytes += line.length;
    } catch (cause) {
      // Half a line in the middle would make the whole log unreadable.
      await this.log.truncate(this.sizeBytes).catch(() => undefined);
      const isFull = ["ENOSPC", "EDQUOT"].includes((cause as { code?: string }).code ?? "");
      throw new HeddleError(isFull ? "DISK_FULL" : "FOLDER_NOT_WRITABLE", `[${this.folder}] ${EVENTS_FILE} could not be written (${(cause as Error).message}): ${isFull ? "free some space" : "check the folder and the disk"} and send the events again; none of them was taken`, { cause });
    }
  }

  /** @param numItems how many rows of the table, behind padding's, are items */
  async saveWeights(generation: number, model: Model, numItems: number): Promise<void> {
    await writeSafetensors(this.weightsFile(generation), statesToWrite(model.parameters), { metadata: { format: "pt", items: String(numItems) } });
  }

  /**
   * Rows of items that were added since the weights were written stay as the model has them.
   *
   * @throws CHECKPOINT_MISMATCH where they are of another shape than the model's, and what reading safetensors throws
   */
  async readWeights(generation: number, model: Model): Promise<Weights> {
    const file = this.weightsFile(generation);
    const reader = await SafetensorsReader.open(await openFileSource(file));
    try {
      const weights = new Map(await readWeights(model));
      const rows = Number(reader.metadata["items"]) + 1;
      for (const [name, { type }] of model.parameters) {
        const found = reader.entries.get(name);
        const fits = found && (name === ITEM_TABLE ? rows <= type.shape[0]! && rows <= found.shape[0]! && found.shape[1] === type.shape[1] : formatShape(found.shape) === formatShape(type.shape));
        if (!fits) throw new HeddleError("CHECKPOINT_MISMATCH", `[${file}] has ${found ? `${name} ${formatShape(found.shape)}` : `no ${name}`}, the model wants ${name} ${formatShape(type.shape)}: add the items again that the recommender had when it was written, and then open the journal`);
      }
      for await (const { name, data, shape } of reader.stream({ names: model.parameters.keys() })) {
        if (name === ITEM_TABLE) (weights.get(name) as Float32Array).set((data as Float32Array).subarray(0, rows * shape[1]!));
        else weights.set(name, data);
      }
      return weights;
    } finally {
      await reader.close();
    }
  }

  /** Removes the weights of all other generations. */
  async keepWeights(generations: readonly number[]): Promise<void> {
    const { fs, path } = nodeFiles(this.folder);
    for (const name of await fs.readdir(this.folder)) {
      const found = WEIGHTS_FILE.exec(name);
      if (found && !generations.includes(Number(found[1]))) await fs.rm(path.join(this.folder, name), { force: true });
    }
  }

  async close(): Promise<void> {
    await this.log.close().catch(() => undefined);
    await this.lock.release();
  }

  private weightsFile(generation: number): string {
    return nodeFiles(this.folder).path.join(this.folder, `weights-${generation}.safetensors`);
  }
}

/**
 * All lines that were finished.
 *
 * @returns the bytes of these, and of what stands behind them
 */
async function readRecords(log: FileHandle, file: string): Promise<{ records: JournalRecord[]; sizeBytes: number; tornBytes: number }> {
  const records: JournalRecord[] = [];
  const decoder = new TextDecoder();
  let rest = new Uint8Array();
  let [sizeBytes, broken] = [0, 0];
  const { size } = await log.stat();
  for await (const chunk of log.createReadStream({ start: 0, autoClose: false })) {
    const bytes: Uint8Array = rest.length === 0 ? (chunk as Uint8Array) : Buffer.concat([rest, chunk as Uint8Array]);
    let begin = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, begin)) {
      const record = parseRecord(decoder.decode(bytes.subarray(begin, end)));
      // A power cut can leave the last line damaged though its end is there.
      if (broken > 0) throw new HeddleError("CHECKPOINT_INVALID", `[${file}] line ${records.length + 1} is damaged, and more lines follow it: restore the file from a copy, or begin a new folder`);
      if (record) {
        records.push(record);
        sizeBytes += end + 1 - begin;
      } else broken++;
      begin = end + 1;
    }
    rest = new Uint8Array(bytes.subarray(begin));
  }
  return { records, sizeBytes, tornBytes: size - sizeBytes };
}

/** Sixteen hexadecimal digits of the SHA-256 of all weights but the table of items, which may have grown, in the order of their names. */
async function fingerprint(model: Model): Promise<string> {
  const hash = process.getBuiltinModule("node:crypto").createHash("sha256");
  for (const [name, data] of [...(await readWeights(model))].filter(([name]) => name !== ITEM_TABLE).sort(([a], [b]) => (a < b ? -1 : 1))) hash.update(name).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return hash.digest("hex").slice(0, 16);
}

/** Node's own modules, found at run time: this package is bundled for browsers too. */
function nodeFiles(folder: string): { fs: typeof import("node:fs/promises"); path: typeof import("node:path") } {
  if (typeof process !== "object" || typeof process.getBuiltinModule !== "function") {
    throw new HeddleError("NODE_REQUIRED", `[${folder}] a journal needs Node's file system, this is a browser: leave openJournal away, and update keeps histories and weights in memory`);
  }
  return { fs: process.getBuiltinModule("node:fs/promises"), path: process.getBuiltinModule("node:path") };
}
