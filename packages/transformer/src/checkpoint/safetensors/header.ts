import { HeddleError, type ErrorCode } from "@heddle/kernels";
import { bytesPerElement, isSafetensorsDtype, SAFETENSORS_DTYPES, type SafetensorsDtype } from "./dtype.ts";
import { findDuplicateName } from "./header-names.ts";

/** One tensor of a file. `begin` and `end` are byte offsets from the start of the file, `end` exclusive. */
export interface SafetensorsEntry {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  /** In file order. */
  readonly entries: readonly SafetensorsEntry[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** The first eight bytes: the header's length as an unsigned 64-bit little-endian integer. */
export const LENGTH_PREFIX_BYTES = 8;

/** The cap of the reference implementation (huggingface/safetensors, `MAX_HEADER_SIZE`). */
export const MAX_HEADER_BYTES = 100_000_000;

function fail(code: ErrorCode, what: string, options?: { cause?: unknown }): never {
  throw new HeddleError(code, `[safetensors] ${what}`, options);
}

const DOWNLOAD_AGAIN = "the file is cut short or is no safetensors file; download or export it again";

/**
 * The length of the JSON header that the first eight bytes claim, checked against the cap and the file's size before
 * anything is allocated.
 */
export function parseSafetensorsHeaderLength(prefix: Uint8Array, fileSizeBytes: number): number {
  if (fileSizeBytes < LENGTH_PREFIX_BYTES || prefix.byteLength < LENGTH_PREFIX_BYTES) {
    fail("SAFETENSORS_TOO_SHORT", `wanted at least ${LENGTH_PREFIX_BYTES} bytes, the file has ${fileSizeBytes}: ${DOWNLOAD_AGAIN}`);
  }
  const claimed = new DataView(prefix.buffer, prefix.byteOffset, LENGTH_PREFIX_BYTES).getBigUint64(0, true);
  if (claimed > BigInt(MAX_HEADER_BYTES)) {
    fail(
      "SAFETENSORS_HEADER_TOO_LARGE",
      `the header claims ${claimed} bytes, the limit is ${MAX_HEADER_BYTES}: this is no safetensors file, or a damaged one; download or export it again`,
    );
  }
  const headerBytes = Number(claimed);
  if (LENGTH_PREFIX_BYTES + headerBytes > fileSizeBytes) {
    fail(
      "SAFETENSORS_HEADER_TRUNCATED",
      `the header claims ${headerBytes} bytes, only ${fileSizeBytes - LENGTH_PREFIX_BYTES} follow: ${DOWNLOAD_AGAIN}`,
    );
  }
  return headerBytes;
}

/**
 * Parses and checks the header of a safetensors file.
 *
 * `bytes` holds the start of the file: the eight length bytes and the whole header, more is ignored. Every kind of
 * malformed header has its own `SAFETENSORS_…` code; nothing is allocated for tensors. Format:
 * https://github.com/huggingface/safetensors#format
 */
export function parseSafetensorsHeader(bytes: Uint8Array, fileSizeBytes: number): SafetensorsHeader {
  const headerBytes = parseSafetensorsHeaderLength(bytes, fileSizeBytes);
  const dataBegin = LENGTH_PREFIX_BYTES + headerBytes;
  if (bytes.byteLength < dataBegin) {
    fail("SAFETENSORS_HEADER_TRUNCATED", `the header has ${headerBytes} bytes, only ${bytes.byteLength - LENGTH_PREFIX_BYTES} were given`);
  }
  const json = parseJsonObject(bytes.subarray(LENGTH_PREFIX_BYTES, dataBegin));
  const dataBytes = fileSizeBytes - dataBegin;
  let metadata: Readonly<Record<string, string>> = {};
  const entries: SafetensorsEntry[] = [];
  for (const [name, value] of Object.entries(json)) {
    if (name === "__metadata__") metadata = checkMetadata(value);
    else entries.push(checkEntry(name, value, dataBegin, dataBytes));
  }
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkCoverage(entries, dataBegin, fileSizeBytes);
  return { entries, metadata };
}

function parseJsonObject(bytes: Uint8Array): Record<string, unknown> {
  let text: string;
  let value: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    value = JSON.parse(text);
  } catch (cause) {
    fail("SAFETENSORS_HEADER_NOT_JSON", `the header is no valid JSON: ${DOWNLOAD_AGAIN}`, { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    fail("SAFETENSORS_HEADER_NOT_JSON", `wanted a JSON object as header, found ${Array.isArray(value) ? "an array" : String(value).slice(0, 40)}: ${DOWNLOAD_AGAIN}`);
  }
  const duplicate = findDuplicateName(text);
  if (duplicate !== undefined) {
    fail("SAFETENSORS_DUPLICATE_NAME", `the header has ${quote(duplicate)} twice: export the file again with unique tensor names`);
  }
  return value as Record<string, unknown>;
}

function checkMetadata(value: unknown): Readonly<Record<string, string>> {
  const isTextMap =
    typeof value === "object" && value !== null && !Array.isArray(value) && Object.values(value).every((text) => typeof text === "string");
  if (!isTextMap) {
    fail("SAFETENSORS_METADATA_INVALID", `__metadata__ must map names to texts: export the file again with texts only, e.g. {"format": "pt"}`);
  }
  return value as Record<string, string>;
}

function checkEntry(name: string, value: unknown, dataBegin: number, dataBytes: number): SafetensorsEntry {
  const tensor = quote(name);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    fail("SAFETENSORS_ENTRY_INVALID", `${tensor} must be an object with dtype, shape and data_offsets: export the file again`);
  }
  const { dtype, shape, data_offsets: offsets } = value as Record<string, unknown>;
  if (!isSafetensorsDtype(dtype)) {
    fail("SAFETENSORS_DTYPE_UNKNOWN", `${tensor} has dtype ${quote(String(dtype))}, known are ${SAFETENSORS_DTYPES.join(", ")}: convert the tensor, e.g. to F32`);
  }
  const sizeBytes = checkShape(tensor, shape) * bytesPerElement(dtype);
  if (!Number.isSafeInteger(sizeBytes)) {
    fail("SAFETENSORS_SHAPE_OVERFLOW", `${tensor} [${(shape as number[]).join(", ")}] of ${dtype} has more bytes than can be counted: ${DOWNLOAD_AGAIN}`);
  }
  const [begin, end] = checkOffsets(tensor, offsets);
  if (end > dataBytes) {
    fail("SAFETENSORS_OUT_OF_BOUNDS", `${tensor} ends at byte ${end} of the data, the file has ${dataBytes}: ${DOWNLOAD_AGAIN}`);
  }
  if (end - begin !== sizeBytes) {
    fail("SAFETENSORS_SIZE_MISMATCH", `${tensor} [${(shape as number[]).join(", ")}] of ${dtype} needs ${sizeBytes} bytes, its offsets span ${end - begin}: export the file again`);
  }
  return { name, dtype, shape: shape as number[], begin: dataBegin + begin, end: dataBegin + end };
}

/** Number of elements. */
function checkShape(tensor: string, shape: unknown): number {
  const isShape = Array.isArray(shape) && shape.every((size) => Number.isSafeInteger(size) && size >= 0);
  if (!isShape) {
    fail("SAFETENSORS_SHAPE_INVALID", `${tensor} has shape ${quote(JSON.stringify(shape) ?? "none")}, wanted an array of non-negative whole numbers: export the file again`);
  }
  let count = 1;
  for (const size of shape as number[]) {
    count *= size;
    if (!Number.isSafeInteger(count)) {
      fail("SAFETENSORS_SHAPE_OVERFLOW", `${tensor} [${(shape as number[]).join(", ")}] has more elements than can be counted: ${DOWNLOAD_AGAIN}`);
    }
  }
  return count;
}

function checkOffsets(tensor: string, offsets: unknown): [begin: number, end: number] {
  const isPair =
    Array.isArray(offsets) && offsets.length === 2 && offsets.every((offset) => Number.isSafeInteger(offset) && offset >= 0) && offsets[0] <= offsets[1];
  if (!isPair) {
    fail("SAFETENSORS_OFFSETS_INVALID", `${tensor} has data_offsets ${quote(JSON.stringify(offsets) ?? "none")}, wanted [begin, end] with 0 ≤ begin ≤ end: export the file again`);
  }
  return offsets as [number, number];
}

/** The format wants the tensors to tile the data without overlap, hole or rest: nothing can be smuggled in between. */
function checkCoverage(entries: readonly SafetensorsEntry[], dataBegin: number, fileSizeBytes: number): void {
  let covered = dataBegin;
  let previous: SafetensorsEntry | undefined;
  for (const entry of entries) {
    if (entry.begin < covered) {
      fail("SAFETENSORS_OVERLAP", `${quote(entry.name)} and ${quote(previous?.name ?? "")} share bytes: export the file again (shared weights need their own copies, or one name)`);
    }
    if (entry.begin > covered) {
      fail("SAFETENSORS_HOLE", `${entry.begin - covered} bytes before ${quote(entry.name)} belong to no tensor: export the file again`);
    }
    covered = entry.end;
    previous = entry;
  }
  if (covered < fileSizeBytes) {
    fail("SAFETENSORS_TRAILING_BYTES", `${fileSizeBytes - covered} bytes after the last tensor belong to none: the file is damaged or was written twice; export it again`);
  }
}

/** Names come from the file: keep messages short and printable. */
function quote(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}…` : text);
}
