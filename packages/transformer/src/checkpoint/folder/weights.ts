import { HeddleError, type QuantizationFormat, type QuantizedTensor } from "@heddle/kernels";
import type { SafetensorsEntry } from "../safetensors/header.ts";
import { SafetensorsReader, type LoadedTensor, type StreamOptions } from "../safetensors/reader.ts";
import { FOREIGN_WEIGHTS_FILES, WEIGHTS_FILE, WEIGHTS_INDEX_FILE } from "./names.ts";
import type { FolderFiles } from "./source.ts";

/** All tensors of a checkpoint, by Hugging Face's names. */
export interface ModelWeights {
  readonly names: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  has(name: string): boolean;
  /** The shape of a tensor, without reading it. Throws TENSOR_NOT_FOUND. */
  entry(name: string): { readonly shape: readonly number[] };
  /** All tensors (or `names`), one in host memory at a time. */
  stream(options?: StreamOptions): AsyncGenerator<LoadedTensor, void, undefined>;
  /** The format in which a device can hold a matrix that the file has in blocks of few bits; undefined for what it has in floats. */
  quantizationOf?(name: string): QuantizationFormat | undefined;
  /** Such a matrix, for as much memory as it takes in that format. Errors: WEIGHTS_NOT_FINITE, those of reading. */
  readQuantized?(name: string, signal?: AbortSignal): Promise<QuantizedTensor>;
  close(): Promise<void>;
}

/** Tensors in one safetensors file or spread over several. */
export class SafetensorsWeights implements ModelWeights {
  readonly #shards: readonly SafetensorsReader[];
  readonly #readerOf = new Map<string, SafetensorsReader>();
  readonly #label: string;

  constructor(label: string, shards: readonly SafetensorsReader[]) {
    this.#label = label;
    this.#shards = shards;
    for (const shard of shards) {
      for (const name of shard.entries.keys()) {
        if (this.#readerOf.has(name)) {
          throw new HeddleError("WEIGHTS_INDEX_INVALID", `[${label}] tensor ${JSON.stringify(name)} is in two files: remove files left over from another export`);
        }
        this.#readerOf.set(name, shard);
      }
    }
  }

  get names(): readonly string[] {
    return [...this.#readerOf.keys()];
  }

  get metadata(): Readonly<Record<string, string>> {
    return this.#shards[0]?.metadata ?? {};
  }

  has(name: string): boolean {
    return this.#readerOf.has(name);
  }

  /** dtype and shape of a tensor, without reading it. */
  entry(name: string): SafetensorsEntry {
    return this.#reader(name).entry(name);
  }

  /** All tensors (or `names`) file by file, in file order; host memory holds one at a time. */
  async *stream(options: StreamOptions = {}): AsyncGenerator<LoadedTensor, void, undefined> {
    const wanted = options.names ? [...options.names] : this.names;
    for (const name of wanted) this.#reader(name);
    for (const shard of this.#shards) {
      const names = wanted.filter((name) => this.#readerOf.get(name) === shard);
      yield* shard.stream({ ...options, names });
    }
  }

  async close(): Promise<void> {
    for (const shard of this.#shards) await shard.close();
  }

  #reader(name: string): SafetensorsReader {
    const reader = this.#readerOf.get(name);
    if (reader) return reader;
    throw new HeddleError("TENSOR_NOT_FOUND", `[${this.#label}] has no tensor ${JSON.stringify(name)}; it has ${this.#readerOf.size}, e.g. ${this.names.slice(0, 5).join(", ")}: check that the checkpoint fits the model class`);
  }
}

/** Opens `model.safetensors`, or the shards that `model.safetensors.index.json` lists. */
export async function openWeights(files: FolderFiles): Promise<SafetensorsWeights> {
  const single = await files.openBytes(WEIGHTS_FILE);
  if (single) return new SafetensorsWeights(files.label, [await SafetensorsReader.open(single)]);
  const index = await files.readText(WEIGHTS_INDEX_FILE);
  if (index === undefined) throw await weightsMissing(files);
  const weightMap = parseIndex(files.label, index);
  const shards: SafetensorsReader[] = [];
  try {
    for (const name of [...new Set(Object.values(weightMap))].sort()) {
      const source = await files.openBytes(name);
      if (!source) {
        throw new HeddleError("WEIGHTS_MISSING", `[${files.label}] ${WEIGHTS_INDEX_FILE} lists ${name}, which is not there: download the missing file into the folder`);
      }
      shards.push(await SafetensorsReader.open(source));
    }
    const weights = new SafetensorsWeights(files.label, shards);
    const absent = Object.keys(weightMap).find((name) => !weights.has(name));
    if (absent !== undefined) {
      throw new HeddleError("WEIGHTS_INDEX_INVALID", `[${files.label}] ${WEIGHTS_INDEX_FILE} lists ${JSON.stringify(absent)}, which no file has: the files come from different exports; download all of them again`);
    }
    return weights;
  } catch (error) {
    for (const shard of shards) await shard.close();
    throw error;
  }
}

function parseIndex(label: string, text: string): Readonly<Record<string, string>> {
  const invalid = (what: string, cause?: unknown): HeddleError =>
    new HeddleError("WEIGHTS_INDEX_INVALID", `[${label}] ${WEIGHTS_INDEX_FILE} ${what}: download it again`, { cause });
  let weightMap: unknown;
  try {
    weightMap = (JSON.parse(text) as { weight_map?: unknown } | null)?.weight_map;
  } catch (cause) {
    throw invalid("is no valid JSON", cause);
  }
  if (typeof weightMap !== "object" || weightMap === null || Array.isArray(weightMap) || Object.keys(weightMap).length === 0) {
    throw invalid("has no weight_map from tensor names to file names");
  }
  for (const name of Object.values(weightMap)) {
    // A plain name: an index from the net must not reach outside its folder.
    if (typeof name !== "string" || !/^[\w-][\w.-]*\.safetensors$/.test(name)) {
      throw invalid(`names the file ${JSON.stringify(name)}, wanted a plain name that ends in .safetensors`);
    }
  }
  return weightMap as Record<string, string>;
}

async function weightsMissing(files: FolderFiles): Promise<HeddleError> {
  for (const name of FOREIGN_WEIGHTS_FILES) {
    if (await files.exists(name)) {
      return new HeddleError(
        "WEIGHTS_MISSING",
        `[${files.label}] has ${name} but no ${WEIGHTS_FILE}: convert it once in Python with AutoModel.from_pretrained(FOLDER).save_pretrained(FOLDER, safe_serialization=True) (use the Auto class of your task), then load the folder again`,
      );
    }
  }
  return new HeddleError("WEIGHTS_MISSING", `[${files.label}] has neither ${WEIGHTS_FILE} nor ${WEIGHTS_INDEX_FILE}: add the weights to the folder, or point to the folder that has them`);
}
