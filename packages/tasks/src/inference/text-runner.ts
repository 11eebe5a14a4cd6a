import { compile, geometricBuckets, HeddleError, type CompiledFunction, type HostTensor, type Tensor } from "@heddle/kernels";
import { collate, type EncodedRow } from "@heddle/training";
import { textConfigOf, type EncoderInputs, type Encoding, type Model, type ModelOutputs, type Tokenizer } from "@heddle/transformer";
import { planBatches } from "./batches.ts";
import { checkTexts, encodeTexts, throwIfAborted } from "./encode.ts";

/** What to make of a model's outputs, on the device. Every result has the batch as its first axis. `extra` is what `rowInputs` gave. */
export type Finish = (outputs: ModelOutputs, inputs: EncoderInputs, extra: Readonly<Record<string, Tensor>>) => Record<string, Tensor>;

export type RowResult = Readonly<Record<string, HostTensor["data"]>>;

export interface RunTextsOptions {
  readonly batchSize?: number;
  readonly signal?: AbortSignal;
  /** Places of texts that were cut to `maxLength` tokens. */
  readonly onTruncated?: (places: readonly number[]) => void;
}

export interface RunRowsOptions extends Omit<RunTextsOptions, "onTruncated"> {
  /** More inputs for `finish`: what it needs to know of each row, some rows by their numbers in a batch of a size. */
  readonly rowInputs?: (rowNumbers: readonly number[], batchSize: number) => Readonly<Record<string, HostTensor>>;
}

/** An encoding as a row of a batch. */
export const rowOf = ({ ids, typeIds }: Encoding): EncodedRow => ({ inputIds: Int32Array.from(ids), ...(typeIds.some((type) => type !== 0) && { tokenTypeIds: Int32Array.from(typeIds) }) });

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
    this.#checkUsable();
    checkTexts(texts);
    const { rows, truncated } = await encodeTexts(this.tokenizer, texts, { maxLength: this.maxLength, signal });
    if (truncated.length > 0) onTruncated?.(truncated);
    return { results: await this.runRows(rows, name, finish, { batchSize, signal }), lengths: rows.map(({ inputIds }) => inputIds.length) };
  }

  /** One result per row of tokens, at most `maxLength` each, in the order of the rows. */
  async runRows(rows: readonly EncodedRow[], name: string, finish: Finish, { batchSize, signal, rowInputs }: RunRowsOptions = {}): Promise<RowResult[]> {
    this.#checkUsable();
    const lengths = rows.map(({ inputIds }) => inputIds.length);
    const compiled = this.#function(name, finish);
    const { config } = this.model;
    const { padTokenId = 0 } = textConfigOf(config);
    const tokenTypes = "typeVocabSize" in config && config.typeVocabSize > 0 && rows.some(({ tokenTypeIds }) => tokenTypeIds);
    const options = { problem: "single-label" as const, buckets: geometricBuckets(this.maxLength), padTokenId, numLabels: config.numLabels, tokenTypes };
    const results = new Array<RowResult>(rows.length);
    for (const planned of planBatches(lengths, batchSize)) {
      throwIfAborted(signal, "pipeline");
      const batch = collate(planned.rowNumbers.map((row) => rows[row]!), { ...options, batchSize: planned.batchSize });
      const outputs = await compiled.run({ ...batch, ...rowInputs?.(planned.rowNumbers, planned.batchSize) });
      planned.rowNumbers.forEach((row, i) => {
        results[row] = Object.fromEntries(Object.entries(outputs).map(([key, { data }]) => [key, data.slice((i * data.length) / planned.batchSize, ((i + 1) * data.length) / planned.batchSize)]));
      });
    }
    return results;
  }

  #checkUsable(): void {
    if (this.#disposed) throw new HeddleError("DISPOSED", "[pipeline] was disposed: load the model again");
  }

  #function(name: string, finish: Finish): CompiledFunction {
    let compiled = this.#compiled.get(name);
    if (!compiled) {
      compiled = compile(this.model.device, name, ({ inputIds, attentionMask, tokenTypeIds, ...extra }) => {
        const inputs = { inputIds: inputIds!, attentionMask: attentionMask!, ...(tokenTypeIds && { tokenTypeIds }) };
        return finish(this.model.forward(inputs), inputs, extra);
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
