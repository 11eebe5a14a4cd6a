import { getHeapStatistics } from "node:v8";
import { CaseRandom } from "./random.ts";
import { fuzzReaders, readOrRefuse, type FuzzReaderName } from "./readers.ts";

/** No file may take longer to be read or refused. */
const MOST_MS = 1000;
/** More than the file itself has. */
const MOST_EXTRA_BYTES = 64 * 2 ** 20;

export interface FuzzOptions {
  readonly seed: number;
  readonly first?: number;
  readonly count: number;
  /** Called before each case. */
  readonly onCase?: (index: number) => void | Promise<void>;
}

export interface FuzzReport {
  /** Cases by how they ended: "read", or the code of the error. */
  readonly outcomes: ReadonlyMap<string, number>;
  readonly slowestMs: number;
  readonly mostBytes: number;
}

/** Damages files and reads them. Throws an Error that names the case where a reader fails with anything but its own errors, or takes too much. */
export async function fuzz(name: FuzzReaderName, { seed, first = 0, count, onCase }: FuzzOptions): Promise<FuzzReport> {
  const outcomes = new Map<string, number>();
  let [slowestMs, mostBytes] = [0, 0];
  for (let index = first; index < first + count; index++) {
    await onCase?.(index);
    const fuzzCase = fuzzReaders[name](new CaseRandom(seed, index));
    const fail = (what: string, cause?: unknown) => new Error(`${name}, seed ${seed}, case ${index}, a file of ${fuzzCase.sizeBytes} bytes: ${what}`, { cause });
    const before = heldBytes();
    const started = performance.now();
    const outcome = await readOrRefuse(fuzzCase).catch((cause: unknown) => {
      throw fail(String(cause), cause);
    });
    const [ms, bytes] = [performance.now() - started, heldBytes() - before];
    // Where the machine does something else beside, the time of its own counts.
    if (ms > MOST_MS && (await again(name, seed, index)) > MOST_MS) throw fail(`took ${Math.round(ms)} ms`);
    if (bytes > fuzzCase.sizeBytes + MOST_EXTRA_BYTES) throw fail(`took ${Math.round(bytes / 2 ** 20)} MiB`);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    slowestMs = Math.max(slowestMs, ms);
    mostBytes = Math.max(mostBytes, bytes);
  }
  return { outcomes, slowestMs, mostBytes };
}

/** Not given back between the beginning and the end of a case. What is given back in between is bounded by the heap's own limit: see the command. */
function heldBytes(): number {
  const { used_heap_size: objects, external_memory: buffers } = getHeapStatistics();
  return objects + buffers;
}

/** The same once more, in milliseconds of the processor's time or of the clock's, whichever are fewer. */
async function again(name: FuzzReaderName, seed: number, index: number): Promise<number> {
  const fuzzCase = fuzzReaders[name](new CaseRandom(seed, index));
  const [started, before] = [performance.now(), process.cpuUsage()];
  await readOrRefuse(fuzzCase);
  const { user, system } = process.cpuUsage(before);
  return Math.min(performance.now() - started, (user + system) / 1000);
}
