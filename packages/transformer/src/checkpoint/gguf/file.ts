import { HeddleError } from "@heddle/kernels";
import type { ByteSource } from "../source/byte-source.ts";
import { BLOCK_FORMATS, type BlockFormat } from "./blocks.ts";

/** A tensor as the file has it. */
export interface GgufTensor {
  readonly name: string;
  /** Row-major, as PyTorch has it: the file's own order is the other way round. */
  readonly shape: readonly number[];
  readonly format: BlockFormat;
  /** Where it begins in the file. */
  readonly begin: number;
}

export type GgufMetadata = Readonly<Record<string, unknown>>;

/** A GGUF file's header, read and checked. */
export interface GgufFile {
  readonly source: ByteSource;
  readonly metadata: GgufMetadata;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
}

/** Reads the header. It owns `source` from here on. Errors: GGUF_INVALID, and those of reading. */
export async function readGguf(source: ByteSource): Promise<GgufFile> {
  try {
    const { gguf } = await import("@huggingface/gguf");
    const { metadata, tensorInfos, tensorDataOffset } = await gguf("https://file.invalid/model.gguf", { fetch: fetchFrom(source) }).catch((cause: unknown) => {
      if (HeddleError.isInstance(cause)) throw cause;
      throw invalid(source, `is no GGUF file that can be read (${(cause as Error).message})`, cause);
    });
    const tensors = new Map<string, GgufTensor>();
    for (const { name, shape, dtype, offset } of tensorInfos) {
      const format = BLOCK_FORMATS.get(dtype);
      if (!format) throw invalid(source, `has ${name} in ggml's type ${dtype}; known are ${[...BLOCK_FORMATS.values()].map((known) => known.name).join(", ")}: use a file quantised to one of them`);
      const tensor: GgufTensor = { name, shape: shape.map(Number).reverse(), format, begin: Number(tensorDataOffset + offset) };
      checkTensor(source, tensor);
      if (tensors.has(name)) throw invalid(source, `has the tensor ${name} twice`);
      tensors.set(name, tensor);
    }
    return { source, metadata: metadata as unknown as GgufMetadata, tensors };
  } catch (error) {
    await source.close();
    throw error;
  }
}

function checkTensor(source: ByteSource, { name, shape, format, begin }: GgufTensor): void {
  const weights = shape.reduce((product, extent) => product * extent, 1);
  if (!shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0) || !Number.isSafeInteger(weights)) throw invalid(source, `has the tensor ${name} with the shape ${shape.join(" × ")}`);
  if ((shape.at(-1) ?? 1) % format.weights !== 0) throw invalid(source, `has rows of ${shape.at(-1)} in ${name}, which are no whole blocks of ${format.weights}`);
  const end = begin + (weights / format.weights) * format.bytes;
  if (!(begin >= 0 && end <= source.sizeBytes)) throw invalid(source, `ends at byte ${source.sizeBytes}, its tensor ${name} at ${end}`);
}

const PIECE_BLOCKS = 2 ** 15;

/** A tensor as f32, a few MiB at a time. */
export async function readTensor(file: GgufFile, tensor: GgufTensor, signal?: AbortSignal): Promise<Float32Array<ArrayBuffer>> {
  const { format } = tensor;
  const data = new Float32Array(weightsOf(tensor));
  for await (const { bytes, first, count } of readPieces(file, tensor, signal)) {
    for (let block = 0; block < count; block++) format.decode(bytes, block * format.bytes, data, (first + block) * format.weights);
  }
  return data;
}

/** A tensor's blocks in the file's order: `count` of them from block `first` on. Errors: ABORTED, those of reading. */
export async function* readPieces({ source }: GgufFile, tensor: GgufTensor, signal?: AbortSignal): AsyncGenerator<{ bytes: Uint8Array; first: number; count: number }> {
  const { format, begin } = tensor;
  const blocks = weightsOf(tensor) / format.weights;
  for (let first = 0; first < blocks; first += PIECE_BLOCKS) {
    if (signal?.aborted) throw new HeddleError("ABORTED", `[${source.label}] loading was stopped`, { cause: signal.reason });
    const count = Math.min(PIECE_BLOCKS, blocks - first);
    yield { bytes: await source.readRange(begin + first * format.bytes, begin + (first + count) * format.bytes), first, count };
  }
}

const weightsOf = ({ shape }: GgufTensor) => shape.reduce((product, extent) => product * extent, 1);

/** The library reads by HTTP ranges; here they come from the file. */
function fetchFrom(source: ByteSource): typeof fetch {
  return async (_, init) => {
    const range = /bytes=(\d+)-(\d+)/.exec(new Headers(init?.headers).get("Range") ?? "");
    if (!range) throw new HeddleError("FILE_UNREADABLE", `[${source.label}] was asked for whole; only parts are read`);
    const [begin, end] = [Math.min(Number(range[1]), source.sizeBytes), Math.min(Number(range[2]) + 1, source.sizeBytes)];
    if (begin >= end) throw invalid(source, `ends at byte ${source.sizeBytes}, in the middle of its header`);
    return new Response(await source.readRange(begin, end), { status: 206 });
  };
}

export const invalid = ({ label }: Pick<ByteSource, "label">, what: string, cause?: unknown): HeddleError => new HeddleError("GGUF_INVALID", `[${label}] ${what}: download it again, or choose another file`, { cause });
