import { HeddleError } from "@heddle/kernels";
import { stageFile, syncFolder, type StagedFile, type WritableFileSystem } from "../source/atomic-file.ts";
import { nodeModules } from "../source/node.ts";
import { bytesPerElement, isSafetensorsDtype, type SafetensorsDtype } from "./dtype.ts";
import { LENGTH_PREFIX_BYTES, MAX_HEADER_BYTES } from "./header.ts";

/** A tensor on its way to a file. */
export interface TensorToWrite {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  /** Little-endian elements, row-major; a function is called when its turn comes, e.g. to read the tensor back from a GPU. */
  readonly data: ArrayBufferView | (() => ArrayBufferView | Promise<ArrayBufferView>);
}

export interface WriteSafetensorsOptions {
  /** Default `{ format: "pt" }`, without which Python's transformers refuses the file. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Default Node's. */
  readonly fileSystem?: WritableFileSystem;
}

const SPACE = 0x20;

/**
 * The length prefix and the header for `tensors`, and the tensors in the order in which their data must follow:
 * widest dtype first, then by name, as the reference implementation sorts them, so that every element lies aligned.
 */
export function encodeSafetensorsHeader<T extends TensorToWrite>(
  tensors: Iterable<T>,
  metadata: Readonly<Record<string, string>> = { format: "pt" },
): { header: Uint8Array<ArrayBuffer>; ordered: readonly T[] } {
  const ordered = [...tensors].sort((a, b) => bytesPerElement(b.dtype) - bytesPerElement(a.dtype) || (a.name < b.name ? -1 : 1));
  const names = new Set<string>();
  const fields: [string, unknown][] = [["__metadata__", metadata]];
  let offset = 0;
  for (const tensor of ordered) {
    if (tensor.name === "__metadata__" || names.has(tensor.name)) {
      throw new HeddleError("SAFETENSORS_DUPLICATE_NAME", `[safetensors] two tensors are called ${JSON.stringify(tensor.name)}: give every tensor a name of its own`);
    }
    names.add(tensor.name);
    const end = offset + sizeBytes(tensor);
    fields.push([tensor.name, { dtype: tensor.dtype, shape: tensor.shape, data_offsets: [offset, end] }]);
    offset = end;
  }
  // Not JSON.stringify(Object.fromEntries(…)): names like "0" would jump to the front, and "__proto__" vanish.
  const json = new TextEncoder().encode(`{${fields.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(",")}}`);
  const headerBytes = Math.ceil(json.length / 8) * 8;
  if (headerBytes > MAX_HEADER_BYTES) {
    throw new HeddleError("SAFETENSORS_HEADER_TOO_LARGE", `[safetensors] the header would have ${headerBytes} bytes, readers allow ${MAX_HEADER_BYTES}: write fewer tensors or less metadata`);
  }
  const header = new Uint8Array(LENGTH_PREFIX_BYTES + headerBytes).fill(SPACE, LENGTH_PREFIX_BYTES);
  new DataView(header.buffer).setBigUint64(0, BigInt(headerBytes), true);
  header.set(json, LENGTH_PREFIX_BYTES);
  return { header, ordered };
}

/** The pieces of a safetensors file in order; one tensor in host memory at a time. */
export async function* encodeSafetensors(tensors: Iterable<TensorToWrite>, options: Pick<WriteSafetensorsOptions, "metadata" | "signal"> = {}): AsyncGenerator<Uint8Array, void, undefined> {
  const { header, ordered } = encodeSafetensorsHeader(tensors, options.metadata);
  yield header;
  for (const tensor of ordered) {
    if (options.signal?.aborted) {
      throw new HeddleError("ABORTED", `[safetensors] writing was stopped before ${tensor.name}`, { cause: options.signal.reason });
    }
    yield await dataOf(tensor);
  }
}

/** Writes a file that appears whole or not at all; an earlier one is replaced only at the end. Node only. */
export async function writeSafetensors(path: string, tensors: Iterable<TensorToWrite>, options: WriteSafetensorsOptions = {}): Promise<void> {
  const file = await stageFile(path, options.fileSystem);
  try {
    await streamInto(file, tensors, options);
    await file.publish();
  } finally {
    await file.discard();
  }
  await syncFolder(nodeModules("writeSafetensors").path.dirname(path), options.fileSystem);
}

/** Writes and seals, without giving the file its real name yet. */
export async function streamInto(file: StagedFile, tensors: Iterable<TensorToWrite>, options: WriteSafetensorsOptions): Promise<void> {
  for await (const bytes of encodeSafetensors(tensors, options)) await file.write(bytes);
  await file.seal();
}

async function dataOf(tensor: TensorToWrite): Promise<Uint8Array> {
  const data = typeof tensor.data === "function" ? await tensor.data() : tensor.data;
  const wanted = sizeBytes(tensor);
  if (data.byteLength !== wanted) {
    throw new HeddleError("SAFETENSORS_SIZE_MISMATCH", `[safetensors] ${tensor.name} [${tensor.shape.join(", ")}] of ${tensor.dtype} needs ${wanted} bytes, its data has ${data.byteLength}: pass data of that shape and dtype`);
  }
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function sizeBytes(tensor: TensorToWrite): number {
  if (!isSafetensorsDtype(tensor.dtype)) {
    throw new HeddleError("SAFETENSORS_DTYPE_UNKNOWN", `[safetensors] ${tensor.name} has dtype ${String(tensor.dtype)}: convert it, e.g. to F32`);
  }
  const isShape = tensor.shape.every((size) => Number.isSafeInteger(size) && size >= 0);
  const bytes = tensor.shape.reduce((product, size) => product * size, bytesPerElement(tensor.dtype));
  if (!isShape || !Number.isSafeInteger(bytes)) {
    throw new HeddleError("SAFETENSORS_SHAPE_INVALID", `[safetensors] ${tensor.name} has shape [${tensor.shape.join(", ")}]: wanted non-negative whole numbers`);
  }
  return bytes;
}
