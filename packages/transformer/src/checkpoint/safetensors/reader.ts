import { HeddleError } from "@heddle/kernels";
import { firstNotFinite } from "../not-finite.ts";
import type { ByteSource } from "../source/byte-source.ts";
import { bytesPerElement, decodeFloats, decodeInts, isFloatDtype, type SafetensorsDtype } from "./dtype.ts";
import { LENGTH_PREFIX_BYTES, parseSafetensorsHeader, parseSafetensorsHeaderLength, type SafetensorsEntry } from "./header.ts";

/** A tensor in host memory: floats as f32, integers and booleans as i32, row-major. */
export type LoadedTensor = {
  readonly name: string;
  readonly shape: readonly number[];
  /** The dtype in the file. */
  readonly fileDtype: SafetensorsDtype;
} & ({ readonly dtype: "f32"; readonly data: Float32Array<ArrayBuffer> } | { readonly dtype: "i32"; readonly data: Int32Array<ArrayBuffer> });

export interface ReadOptions {
  /** Refuse NaN and infinity with `WEIGHTS_NOT_FINITE`. Default true. */
  readonly checkFinite?: boolean;
}

export interface StreamOptions extends ReadOptions {
  /** Only these, in file order. Default all. */
  readonly names?: Iterable<string>;
  readonly signal?: AbortSignal;
}

/** Conversions go through pieces of this size, so that host memory stays at one tensor and not two. */
const CHUNK_BYTES = 4 * 1024 * 1024;

// Typed arrays use the machine's byte order, files are little-endian.
const IS_LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** Reads a safetensors file tensor by tensor; host memory peaks at the largest tensor. */
export class SafetensorsReader {
  /** By name, in file order. */
  readonly entries: ReadonlyMap<string, SafetensorsEntry>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly #source: ByteSource;

  private constructor(source: ByteSource, entries: readonly SafetensorsEntry[], metadata: Readonly<Record<string, string>>) {
    this.#source = source;
    this.entries = new Map(entries.map((entry) => [entry.name, entry]));
    this.metadata = metadata;
  }

  /** Reads and checks the header. The reader owns `source` from here on, also when the header is malformed. */
  static async open(source: ByteSource): Promise<SafetensorsReader> {
    try {
      const prefix = await source.readRange(0, Math.min(LENGTH_PREFIX_BYTES, source.sizeBytes));
      const headerBytes = parseSafetensorsHeaderLength(prefix, source.sizeBytes);
      const start = await source.readRange(0, LENGTH_PREFIX_BYTES + headerBytes);
      const { entries, metadata } = parseSafetensorsHeader(start, source.sizeBytes);
      return new SafetensorsReader(source, entries, metadata);
    } catch (error) {
      await source.close();
      if (!HeddleError.isInstance(error) || !error.code.startsWith("SAFETENSORS_")) throw error;
      throw new HeddleError(error.code, error.message.replace("[safetensors]", `[${source.label}]`), { cause: error });
    }
  }

  /** One tensor, as f32 or i32. */
  async read(name: string, options: ReadOptions = {}): Promise<LoadedTensor> {
    const entry = this.entry(name);
    const { shape, dtype: fileDtype } = entry;
    if (isFloatDtype(fileDtype)) {
      return { name, shape, fileDtype, dtype: "f32", data: await this.#readFloats(entry, options.checkFinite ?? true) };
    }
    return { name, shape, fileDtype, dtype: "i32", data: await this.#readInts(entry) };
  }

  /** The bytes of a tensor as they lie in the file (little-endian). */
  readBytes(name: string): Promise<Uint8Array<ArrayBuffer>> {
    const { begin, end } = this.entry(name);
    return this.#source.readRange(begin, end);
  }

  /** All tensors one after the other, in file order: upload each and let it go before taking the next. */
  async *stream(options: StreamOptions = {}): AsyncGenerator<LoadedTensor, void, undefined> {
    const wanted = options.names && new Set(options.names);
    for (const name of wanted ?? []) this.entry(name);
    await this.#source.download?.();
    for (const name of this.entries.keys()) {
      if (wanted && !wanted.has(name)) continue;
      if (options.signal?.aborted) {
        throw new HeddleError("ABORTED", `[${this.#source.label}] loading was stopped before ${name}`, { cause: options.signal.reason });
      }
      yield await this.read(name, options);
    }
  }

  entry(name: string): SafetensorsEntry {
    const entry = this.entries.get(name);
    if (entry) return entry;
    const some = [...this.entries.keys()].slice(0, 5).join(", ");
    throw new HeddleError("TENSOR_NOT_FOUND", `[${this.#source.label}] has no tensor ${JSON.stringify(name)}, but ${this.entries.size} others (${some}, …): check that the checkpoint fits the model class`);
  }

  close(): Promise<void> {
    return this.#source.close();
  }

  async #readFloats(entry: SafetensorsEntry, checkFinite: boolean): Promise<Float32Array<ArrayBuffer>> {
    let data: Float32Array<ArrayBuffer>;
    if (entry.dtype === "F32" && IS_LITTLE_ENDIAN) {
      data = new Float32Array((await this.#source.readRange(entry.begin, entry.end)).buffer);
    } else {
      const target = new Float32Array(elementCount(entry));
      await this.#forEachChunk(entry, (bytes, offset) => decodeFloats(entry.dtype, bytes, target, offset));
      data = target;
    }
    if (checkFinite) this.#checkFinite(entry, data);
    return data;
  }

  async #readInts(entry: SafetensorsEntry): Promise<Int32Array<ArrayBuffer>> {
    const data = new Int32Array(elementCount(entry));
    await this.#forEachChunk(entry, (bytes, offset) => decodeInts(entry.name, entry.dtype, bytes, data, offset));
    return data;
  }

  async #forEachChunk(entry: SafetensorsEntry, decode: (bytes: Uint8Array, elementOffset: number) => void): Promise<void> {
    for (let begin = entry.begin; begin < entry.end; begin += CHUNK_BYTES) {
      const bytes = await this.#source.readRange(begin, Math.min(entry.end, begin + CHUNK_BYTES));
      decode(bytes, (begin - entry.begin) / bytesPerElement(entry.dtype));
    }
  }

  #checkFinite(entry: SafetensorsEntry, data: Float32Array): void {
    const index = firstNotFinite(data);
    if (index < 0) return;
    throw new HeddleError(
      "WEIGHTS_NOT_FINITE",
      `[${this.#source.label}] ${entry.name}[${index}] (${entry.dtype} [${entry.shape.join(", ")}]) is ${data[index]}: the training that wrote this file diverged or the file is damaged; take an earlier checkpoint or lower the learning rate`,
    );
  }
}

function elementCount(entry: SafetensorsEntry): number {
  return (entry.end - entry.begin) / bytesPerElement(entry.dtype);
}
