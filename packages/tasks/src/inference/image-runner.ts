import { compile, HeddleError, type CompiledFunction, type HostTensor, type Tensor } from "@heddle/kernels";
import { splitInputs, type ModelOutputs, type RgbImage } from "@heddle/transformer";
import { planBatches } from "./batches.ts";
import { throwIfAborted } from "./encode.ts";
import type { OpenedImageModel } from "./open-image-model.ts";
import type { RowResult } from "./text-runner.ts";

export interface RunImagesOptions {
  readonly batchSize?: number;
  readonly signal?: AbortSignal;
}

/** As much as fits any device, as images are large. */
const DEFAULT_BATCH = 8;

/** Images through a model, batch by batch: one upload, one submission and one readback each. */
export class ImageRunner {
  readonly #compiled = new Map<string, CompiledFunction>();
  #disposed = false;

  constructor(readonly opened: OpenedImageModel) {}

  /**
   * One result per image, in their order.
   *
   * @param name of `finish`: the same name must stand for the same function
   * @param others inputs that each batch gets beside its images
   */
  async run(images: readonly RgbImage[], name: string, finish: (outputs: ModelOutputs) => Record<string, Tensor>, others: Readonly<Record<string, HostTensor>>, { batchSize = DEFAULT_BATCH, signal }: RunImagesOptions): Promise<RowResult[]> {
    if (this.#disposed) throw new HeddleError("DISPOSED", "[pipeline] was disposed: load the model again");
    const { model, imageProcessor } = this.opened;
    let compiled = this.#compiled.get(name);
    if (!compiled) {
      compiled = compile(model.device, name, (tensors) => finish(model.forward(splitInputs(tensors).inputs)));
      this.#compiled.set(name, compiled);
    }
    const results = new Array<RowResult>(images.length);
    for (const { rowNumbers, batchSize: size } of planBatches(images.map(() => 1), batchSize)) {
      throwIfAborted(signal, "pipeline");
      const pixels = imageProcessor.preprocess(rowNumbers.map((row) => images[row]!));
      const shape = [size, ...pixels.shape.slice(1)];
      const data = new Float32Array((pixels.data.length / rowNumbers.length) * size);
      data.set(pixels.data as Float32Array);
      const outputs = await compiled.run({ ...others, pixelValues: { shape, data } });
      rowNumbers.forEach((row, i) => {
        results[row] = Object.fromEntries(Object.entries(outputs).map(([key, { data: all }]) => [key, all.slice((i * all.length) / size, ((i + 1) * all.length) / size)]));
      });
    }
    return results;
  }

  /** Frees the plans, the model, and the device where it was opened for it. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const compiled of this.#compiled.values()) compiled.dispose();
    this.opened.model.dispose();
    this.opened.release();
  }
}
