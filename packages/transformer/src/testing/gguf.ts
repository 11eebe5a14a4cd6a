// Writes GGUF files (version 3) for tests.

export type GgufValue = string | number | boolean | readonly string[] | readonly number[];

export interface GgufTensorToWrite {
  readonly name: string;
  /** Row-major. */
  readonly shape: readonly number[];
  /** ggml's number. */
  readonly type: number;
  readonly bytes: Uint8Array;
}

const ALIGNMENT = 32;

export function encodeGguf(metadata: Readonly<Record<string, GgufValue>>, tensors: readonly GgufTensorToWrite[]): Uint8Array<ArrayBuffer> {
  const out: number[] = [];
  const u32 = (value: number) => out.push(...new Uint8Array(Uint32Array.of(value).buffer));
  const u64 = (value: number) => out.push(...new Uint8Array(BigUint64Array.of(BigInt(value)).buffer));
  const f32 = (value: number) => out.push(...new Uint8Array(Float32Array.of(value).buffer));
  const text = (value: string) => {
    const bytes = new TextEncoder().encode(value);
    u64(bytes.length);
    for (const byte of bytes) out.push(byte);
  };
  const write = (value: GgufValue): void => {
    if (typeof value === "string") return void (u32(8), text(value));
    if (typeof value === "boolean") return void (u32(7), out.push(Number(value)));
    if (typeof value === "number") return Number.isInteger(value) ? void (u32(4), u32(value)) : void (u32(6), f32(value));
    u32(9);
    const isText = typeof value[0] === "string";
    u32(isText ? 8 : value.every(Number.isInteger) ? 5 : 6);
    u64(value.length);
    const isWhole = value.every((one) => Number.isInteger(one));
    for (const one of value) {
      if (typeof one === "string") text(one);
      else if (isWhole) u32(one);
      else f32(one);
    }
  };
  out.push(...new TextEncoder().encode("GGUF"));
  u32(3);
  u64(tensors.length);
  u64(Object.keys(metadata).length);
  for (const [key, value] of Object.entries(metadata)) {
    text(key);
    write(value);
  }
  let offset = 0;
  for (const { name, shape, type, bytes } of tensors) {
    text(name);
    u32(shape.length);
    for (const extent of shape.toReversed()) u64(extent);
    u32(type);
    u64(offset);
    offset = align(offset + bytes.length);
  }
  while (out.length % ALIGNMENT !== 0) out.push(0);
  const file = new Uint8Array(out.length + offset);
  file.set(out);
  let at = out.length;
  for (const { bytes } of tensors) {
    file.set(bytes, at);
    at = align(at + bytes.length);
  }
  return file;
}

const align = (at: number) => Math.ceil(at / ALIGNMENT) * ALIGNMENT;
