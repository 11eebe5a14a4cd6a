import { compile, embedding, type CompiledFunction } from "@heddle/kernels";
import type { Model } from "@heddle/transformer";
import { tableOf } from "./item-table.ts";

/** Reads the embeddings of a few items. */
export class ItemEmbeddings {
  private readonly gather: CompiledFunction;

  constructor(model: Model) {
    this.gather = compile(model.device, "item-embeddings", ({ rows }) => ({ embeddings: embedding(tableOf(model), rows!) }));
  }

  /**
   * @param rows of the model's table
   * @param places at least as many as rows; with the same number each time one program serves all
   * @returns f32 [rows, hidden]
   */
  async of(rows: readonly number[], places: number): Promise<Float32Array> {
    const data = new Int32Array(places);
    data.set(rows);
    const { embeddings } = await this.gather.run({ rows: { shape: [places], data } });
    return (embeddings!.data as Float32Array).subarray(0, (embeddings!.data.length / places) * rows.length);
  }

  dispose(): void {
    this.gather.dispose();
  }
}
