import { compile, geometricBuckets, HeddleError, type CompiledFunction, type HostTensor, type Tensor } from "@heddle/kernels";
import { collate } from "@heddle/training";
import { textConfigOf, type EncoderInputs, type Model, type ModelOutputs, type Tokenizer } from "@heddle/transformer";
import { planBatches } from "./batches.ts";
import { encodeTexts, throwIfAborted } from "./encode.ts";

/** What to make of a model's outputs, on the device. Every result has the batch as its first axis. */
export type Finish = (outputs: ModelOutputs, inputs: EncoderInputs) => Record<string, Tensor>;

export type RowResult = Readonly<Record<string, HostTensor["data"]>>;

export interface RunTextsOptions {
  readonly batchSize?: number;
  readonly signal?: AbortSignal;
  /** Places of texts that were cut to `maxLength` tokens. */
  readonly onTruncated?: (places: readonly number[]) => void;
}

/** Texts through a model, batch by batch: one upload, one submission and one readback each. */
export class TextRunner {
  readonly #compiled = new Map<string, CompiledFunction>();
  #disposed = false;

  constructor(
    readonly model: Model,
    readonly tokenizer: Tokenizer,
    /** In tokens. */
    readonly maxLength: number,
    private readonly int8 = false,
  ) {}

  /**
   * One result per text, in the order of the texts.
   *
   * @param name of `finish`: the same name must stand for the same function
   */
  async run(texts: readonly string[], name: string, finish: Finish, { batchSize, signal, onTruncated }: RunTextsOptions = {}): Promise<{ results: RowResult[]; lengths: number[] }> {
    if (this.#disposed) throw new HeddleError("DISPOSED", "[pipeline] was disposed: load the model again");
    const wrong = texts.findIndex((text) => typeof text !== "string");
    if (wrong >= 0) throw new HeddleError("INVALID_ARGUMENT", `[pipeline] text ${wrong} is ${texts[wrong] === null ? "null" : typeof texts[wrong]}: pass a string or an array of strings`);
    const { rows, truncated } = await encodeTexts(this.tokenizer, texts, { maxLength: this.maxLength, signal });
    if (truncated.length > 0) onTruncated?.(truncated);
    const lengths = rows.map(({ inputIds }) => inputIds.length);
    const compiled = this.#function(name, finish);
    const { padTokenId = 0 } = textConfigOf(this.model.config);
    const options = { problem: "single-label" as const, buckets: geometricBuckets(this.maxLength), padTokenId, numLabels: this.model.config.numLabels, tokenTypes: false };
    const results = new Array<RowResult>(rows.length);
    for (const planned of planBatches(lengths, batchSize)) {
      throwIfAborted(signal, "pipeline");
      const outputs = await compiled.run(collate(planned.rowNumbers.map((row) => rows[row]!), { ...options, batchSize: planned.batchSize }));
      planned.rowNumbers.forEach((row, i) => {
        results[row] = Object.fromEntries(Object.entries(outputs).map(([key, { data }]) => [key, data.slice((i * data.length) / planned.batchSize, ((i + 1) * data.length) / planned.batchSize)]));
      });
    }
    return { results, lengths };
  }

  #function(name: string, finish: Finish): CompiledFunction {
    let compiled = this.#compiled.get(name);
    if (!compiled) {
      compiled = compile(this.model.device, name, ({ inputIds, attentionMask }) => {
        const inputs = { inputIds: inputIds!, attentionMask: attentionMask! };
        return finish(this.model.forward(inputs), inputs);
      }, { int8: this.int8 });
      this.#compiled.set(name, compiled);
    }
    return compiled;
  }

  /** Frees the plans and the model. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const compiled of this.#compiled.values()) compiled.dispose();
    this.model.dispose();
  }
}
