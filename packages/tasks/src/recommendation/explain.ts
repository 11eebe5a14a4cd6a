import { add, compile, embedding, geometricBuckets, matmul, reshape, roundUpToBucket, slice, type CompiledFunction } from "@heddle/kernels";
import type { Model, RecommenderConfig } from "@heddle/transformer";
import { throwIfAborted } from "../inference/encode.ts";
import { tableOf } from "./item-table.ts";
import { itemsRead, questions } from "./question.ts";

/** One item's scores after a history, after none, and after the history without each of its newest events. */
export interface LeftOut {
  readonly score: number;
  readonly baseline: number;
  /** The place of each left-out event in the history, oldest first. */
  readonly places: readonly number[];
  /** Beside places: the score without that event. */
  readonly without: Float32Array;
}

/** A model's program that scores one item after many histories at once; only that item's scores leave the device. */
export class LeaveOneOut {
  private readonly itemScores: CompiledFunction;
  private readonly sizes: readonly number[];

  constructor(private readonly model: Model) {
    this.sizes = geometricBuckets(itemsRead(this.config) + 2);
    this.itemScores = compile(model.device, "item-scores", ({ inputIds, row }) => {
      const { hidden, bias } = model.forward({ inputIds: inputIds! }).decoder!;
      const [count, , size] = hidden.shape as [number, number, number];
      const item = embedding(tableOf(model), row!);
      const products = matmul(reshape(slice(hidden, { axis: 1, begin: -1 }), [count, size]), item, { transposeB: true });
      return { scores: bias === undefined ? products : add(products, embedding(reshape(bias, [-1, 1]), row!)) };
    });
  }

  /**
   * All in one batch. Where a history is longer than the window, an older event steps in for the one left out, as it would have done
   * had that event never been.
   *
   * @param history rows of the table, oldest first; one at least
   * @param row the item's
   * @throws ABORTED
   */
  async run(history: ArrayLike<number>, row: number, signal?: AbortSignal): Promise<LeftOut> {
    throwIfAborted(signal, "explain");
    const events = Array.from(history);
    const oldest = Math.max(0, events.length - itemsRead(this.config));
    const places = events.slice(oldest).map((_, i) => oldest + i);
    const histories = [events, [], ...places.map((place) => events.toSpliced(place, 1))];
    const { scores } = await this.itemScores.run({
      inputIds: questions(this.config, histories, roundUpToBucket(histories.length, this.sizes)),
      row: { shape: [1], data: Int32Array.of(row) },
    });
    throwIfAborted(signal, "explain");
    const [score, baseline] = scores!.data as Float32Array;
    return { score: score!, baseline: baseline!, places, without: (scores!.data as Float32Array).subarray(2, histories.length) };
  }

  private get config(): RecommenderConfig {
    return this.model.config as RecommenderConfig;
  }

  dispose(): void {
    this.itemScores.dispose();
  }
}
