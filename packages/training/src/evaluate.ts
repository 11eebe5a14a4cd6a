import { argmax, broadcastTo, cast, compile, concat, constant, HeddleError, less, reshape, slice, type CompiledFunction, type HostTensor, type Tensor } from "@heddle/kernels";
import { splitInputs, type Model, type ModelOutputs } from "@heddle/transformer";
import type { Batch } from "./data/collate.ts";
import type { DataCollator } from "./data/batches.ts";
import { IGNORE_INDEX, type EncodedDataset, type EncodedRow } from "./data/dataset.ts";
import { taskLoss } from "./losses.ts";
import { isPerToken, problemOf, type Problem } from "./problem.ts";

/** What a model says about one row. */
export interface RowPrediction {
  /** Class ids, 0 or 1 a label, values, or start and end, as `EvaluationPredictions` describes; tokens without padding. */
  readonly prediction: Int32Array | Float32Array;
  /** [labels], [tokens · labels], or [2 · tokens] (start, then end); null unless asked for. */
  readonly logits: Float32Array | null;
}

export interface EvaluatedBatch {
  readonly rowNumbers: readonly number[];
  readonly predictions: readonly RowPrediction[];
  /** Mean over the batch; null without labels. */
  readonly loss: number | null;
}

export interface EvaluateOptions {
  batchSize: number;
  /** Bring the logits back too. */
  logits?: boolean;
  signal?: AbortSignal;
}

/** A model made ready to predict and to measure its loss: one upload, one submission and one small readback a batch. */
export class Evaluator {
  readonly problem: Problem;
  private readonly withLabels: CompiledFunction;
  private readonly withoutLabels: CompiledFunction;

  constructor(
    private readonly model: Model,
    private readonly collator: DataCollator,
  ) {
    this.problem = problemOf(model);
    this.withLabels = compile(model.device, "evaluate", (inputs) => {
      const outputs = model.forward(splitInputs(inputs).inputs);
      return { ...this.results(outputs), loss: taskLoss(this.problem, outputs, inputs, inputs["attentionMask"]!) };
    });
    this.withoutLabels = compile(model.device, "predict", (inputs) => this.results(model.forward(splitInputs(inputs).inputs)));
  }

  /** Batches in the order that pads least; rows carry their numbers. Throws ABORTED. */
  async *run(dataset: EncodedDataset, { batchSize, logits = false, signal }: EvaluateOptions): AsyncGenerator<EvaluatedBatch, void, undefined> {
    const order = Array.from(dataset, (_, row) => row).sort((a, b) => dataset[a]!.inputIds.length - dataset[b]!.inputIds.length || a - b);
    for (let begin = 0; begin < order.length; begin += batchSize) {
      if (signal?.aborted) throw new HeddleError("ABORTED", `[evaluate] stopped after ${begin} of ${order.length} rows`, { cause: signal.reason });
      const rowNumbers = order.slice(begin, begin + batchSize);
      const rows = rowNumbers.map((row) => dataset[row]!);
      const batch = this.collator(rows, { rowNumbers, batchSize, training: false, seed: 0, epoch: 0 });
      const labelled = "labels" in batch || "startPositions" in batch;
      const read = [...this.predictionNames, ...(logits ? this.logitsNames : []), ...(labelled ? ["loss"] : [])];
      const outputs = await (labelled ? this.withLabels : this.withoutLabels).run(batch, { read });
      yield { rowNumbers, predictions: rows.map((row, i) => this.rowPrediction(outputs, batch, row, i, logits)), loss: labelled ? outputs["loss"]!.data[0]! : null };
    }
  }

  dispose(): void {
    this.withLabels.dispose();
    this.withoutLabels.dispose();
  }

  private get predictionNames(): readonly string[] {
    return this.problem === "question-answering" ? ["start", "end"] : ["prediction"];
  }

  private get logitsNames(): readonly string[] {
    return this.problem === "question-answering" ? ["startLogits", "endLogits"] : ["logits"];
  }

  private results({ logits, startLogits, endLogits }: ModelOutputs): Record<string, Tensor> {
    switch (this.problem) {
      case "single-label":
      case "token-classification":
      case "masked-lm":
      case "seq2seq-lm":
      case "next-item":
        return { prediction: argmax(logits!), logits: logits! };
      case "causal-lm": {
        // What was predicted for a token stands at the token before it.
        const [batch] = logits!.shape as [number];
        const next = argmax(logits!);
        return { prediction: concat([broadcastTo(constant(0, "i32"), [batch, 1]), slice(next, { axis: 1, end: -1 })], 1), logits: logits! };
      }
      case "multi-label":
        return { prediction: cast(less(0, logits!), "i32"), logits: logits! };
      case "regression":
        return { prediction: reshape(logits!, logits!.shape), logits: logits! };
      case "question-answering":
        return { start: argmax(startLogits!), end: argmax(endLogits!), startLogits: startLogits!, endLogits: endLogits! };
    }
  }

  private rowPrediction(outputs: Record<string, HostTensor>, batch: Batch, { inputIds }: EncodedRow, i: number, logits: boolean): RowPrediction {
    const rowsInBatch = batch["inputIds"]!.shape[0]!;
    const perToken = isPerToken(this.problem);
    /** Row i of a tensor, cut to the row's tokens where it has one entry a token. */
    const rowOf = (name: string, tokens: boolean) => {
      const { data } = outputs[name]!;
      const size = data.length / rowsInBatch;
      const kept = tokens ? (size / batch["inputIds"]!.shape[1]!) * inputIds.length : size;
      return data.slice(i * size, i * size + kept);
    };
    if (this.problem === "question-answering") {
      const scores = logits ? Float32Array.of(...rowOf("startLogits", true), ...rowOf("endLogits", true)) : null;
      return { prediction: Int32Array.of(outputs["start"]!.data[i]!, outputs["end"]!.data[i]!), logits: scores };
    }
    return { prediction: rowOf("prediction", perToken) as Int32Array | Float32Array, logits: logits ? (rowOf("logits", perToken) as Float32Array) : null };
  }
}

/** Labels and predictions of all rows in one list each, without ignored tokens. */
export function alignPredictions(problem: Problem, dataset: EncodedDataset, predictions: readonly RowPrediction[]): { labels: Int32Array | Float32Array; predictions: Int32Array | Float32Array } {
  const labels: number[] = [];
  const predicted: number[] = [];
  dataset.forEach(({ label }, row) => {
    const wanted = typeof label === "number" ? [label] : (label ?? []);
    const perToken = isPerToken(problem);
    wanted.forEach((value, i) => {
      if ((perToken || problem === "single-label") && value === IGNORE_INDEX) return;
      labels.push(value);
      predicted.push(predictions[row]!.prediction[i]!);
    });
  });
  const list = problem === "regression" ? Float32Array : Int32Array;
  return { labels: list.from(labels), predictions: list.from(predicted) };
}
