import { HeddleError, type HostTensor, type QuantizationFormat, type QuantizedTensor } from "@heddle/kernels";
import { firstNotFinite } from "../not-finite.ts";
import type { ModelWeights } from "../folder/weights.ts";
import type { LoadedTensor, StreamOptions } from "../safetensors/reader.ts";
import { architectureOf, checkpointName } from "./config.ts";
import { readTensor, type GgufFile, type GgufTensor } from "./file.ts";
import { quantizationOf, readQuantized } from "./quantized.ts";
import { isRotaryTable } from "./rotary.ts";

/** A GGUF file's tensors as a checkpoint's, by Hugging Face's names, worked out to f32 or in the blocks that a device holds. */
export class GgufWeights implements ModelWeights {
  readonly metadata = {};
  private readonly tensors = new Map<string, GgufTensor>();
  private readonly architecture;

  constructor(private readonly file: GgufFile) {
    this.architecture = architectureOf(file);
    for (const [name, tensor] of file.tensors) if (!isRotaryTable(name)) this.tensors.set(checkpointName(name, this.architecture) ?? name, tensor);
  }

  get names(): readonly string[] {
    return [...this.tensors.keys()];
  }

  has(name: string): boolean {
    return this.tensors.has(name);
  }

  entry(name: string): GgufTensor {
    const tensor = this.tensors.get(name);
    if (!tensor) throw new HeddleError("TENSOR_NOT_FOUND", `[${this.file.source.label}] has no tensor ${JSON.stringify(name)}`);
    return tensor;
  }

  async *stream({ names = this.names, signal, checkFinite = true }: StreamOptions = {}): AsyncGenerator<LoadedTensor, void, undefined> {
    await this.file.source.download?.();
    for (const name of names) {
      const tensor = this.entry(name);
      const data = await readTensor(this.file, tensor, signal);
      if (checkFinite && firstNotFinite(data) >= 0) throw new HeddleError("WEIGHTS_NOT_FINITE", `[${this.file.source.label}] ${tensor.name} has a value that is not finite: the file is damaged, download it again`);
      yield { name, shape: tensor.shape, fileDtype: "F32", dtype: "f32", data: this.asCheckpoint(name, tensor, data) };
    }
  }

  quantizationOf(name: string): QuantizationFormat | undefined {
    return quantizationOf(this.entry(name));
  }

  async readQuantized(name: string, signal?: AbortSignal): Promise<QuantizedTensor> {
    const { shape, values, scales, format } = await readQuantized(this.file, this.entry(name), signal);
    const inOrder = ({ shape: parts, data }: HostTensor) => ({ shape: parts, data: this.inRows(name, shape[0], data) });
    return { format, shape, values: inOrder(values), scales: inOrder(scales) };
  }

  close(): Promise<void> {
    return this.file.source.close();
  }

  private asCheckpoint(name: string, { shape }: GgufTensor, data: Float32Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
    if (this.architecture.normOffset && /norm\.weight$/.test(name)) return data.map((factor) => factor - 1);
    return this.inRows(name, shape[0]!, data);
  }

  /** A tensor's rows in the order of the checkpoint's. */
  private inRows<T extends HostTensor["data"]>(name: string, rows: number, data: T): T {
    const rotated = /self_attn\.([qk])_proj\.(weight|bias)$/.exec(name);
    if (!this.architecture.permutesHeads || !rotated) return data;
    const { metadata } = this.file;
    const count = `${String(metadata["general.architecture"])}.attention.head_count`;
    const heads = Number((rotated[1] === "k" ? metadata[`${count}_kv`] : undefined) ?? metadata[count]);
    return halvesFromPairs(data, rows, heads);
  }
}

/** Rows 2i and 2i + 1 of each head become rows i and i + half. */
function halvesFromPairs<T extends HostTensor["data"]>(data: T, rows: number, heads: number): T {
  const [columns, size] = [data.length / rows, rows / heads];
  const result = data.slice() as T;
  // A damaged file may have 2³² rows of nothing.
  if (data.length === 0) return result;
  for (let row = 0; row < rows; row++) {
    const [head, within] = [Math.floor(row / size), row % size];
    const from = head * size + (within < size / 2 ? 2 * within : 2 * (within - size / 2) + 1);
    result.set(data.subarray(from * columns, (from + 1) * columns), row * columns);
  }
  return result;
}
