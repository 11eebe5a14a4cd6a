import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { LinePeer } from "./line-peer.ts";

export interface TrainingOptions {
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly maxGradNorm: number;
}

/** PyTorch on the CPU, in one Python process that lives as long as the run. It does one work at a time. */
export class PyTorch {
  private constructor(
    private readonly peer: LinePeer,
    /** "name version backend". */
    readonly name: string,
    readonly transformersVersion: string,
  ) {}

  /** What is missing, as a string, where there is no python3 with torch and transformers. */
  static async open(threads: number): Promise<PyTorch | string> {
    const peer = new LinePeer("PyTorch", "python3", [join(import.meta.dirname, "pytorch-peer.py")]);
    const opened = (await peer.call("open", { threads }).catch(({ message }: Error) => ({ missing: message }))) as { missing: string } | { torch: string; transformers: string };
    if (!("missing" in opened)) return new PyTorch(peer, `PyTorch ${opened.torch} cpu`, opened.transformers);
    await peer.close();
    return opened.missing;
  }

  /** Loads a BERT encoder from a Hugging Face folder. */
  async loadEncoder(folder: string): Promise<void> {
    await this.peer.call("load_encoder", { folder });
  }

  /** Writes the encoder loaded last as an ONNX file; false, and said aloud, where Python's `onnx` is not installed. */
  async exportEncoder(path: string): Promise<boolean> {
    const { missing } = (await this.peer.call("export_encoder", { path })) as { missing?: string };
    if (missing !== undefined) console.log(`WITHOUT PYTORCH'S EXPORT: ${missing}. onnxruntime runs on Heddle's export of the same model alone.\n`);
    return missing === undefined;
  }

  /** Loads a transformers class from a Hugging Face folder, to train it with AdamW. */
  async loadTraining(architecture: string, folder: string, { learningRate, weightDecay, maxGradNorm }: TrainingOptions): Promise<void> {
    await this.peer.call("load_training", { architecture, folder, learning_rate: learningRate, weight_decay: weightDecay, max_grad_norm: maxGradNorm });
  }

  /** By the arguments' names in transformers. */
  async setBatch(batch: Readonly<Record<string, readonly number[] | readonly (readonly number[])[]>>): Promise<void> {
    await this.peer.call("set_batch", batch);
  }

  /** Does the work once: its milliseconds by Python's clock, and a training step's loss. */
  async repeat(): Promise<{ milliseconds: number; loss: number | null }> {
    return (await this.peer.call("repeat")) as { milliseconds: number; loss: number | null };
  }

  /** The resulting numbers of one repetition, by way of a file. */
  async output(file: string): Promise<Float32Array> {
    await this.peer.call("repeat", { output: file });
    const bytes = await readFile(file);
    return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  }

  close(): Promise<void> {
    return this.peer.close();
  }
}
