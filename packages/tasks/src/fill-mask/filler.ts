import { HeddleError, softmax, topK as largest, type Tensor } from "@heddle/kernels";
import { scoresOf, textConfigOf, tokenAt, type ModelFolderSource, type ModelOutputs } from "@heddle/transformer";
import { checkTexts } from "../inference/encode.ts";
import { openTextRunner, type LoadOptions, type OpenedRunner } from "../inference/open-runner.ts";
import { rowOf, type Finish } from "../inference/text-runner.ts";

export interface FillMaskOptions {
  /** Tokens a mask gets, best first. Default 5. */
  readonly topK?: number;
  /** Words to choose from instead of the whole vocabulary; of one that is several tokens the first counts. */
  readonly targets?: readonly string[];
  /** Most masks that go through the model at once. Default 32. */
  readonly batchSize?: number;
  readonly signal?: AbortSignal;
}

/** What may stand in place of a mask. */
export interface FilledMask {
  readonly score: number;
  readonly token: number;
  readonly tokenStr: string;
  /** The text with the token in it; where it has other masks, these are there still. */
  readonly sequence: string;
}

/** One mask of one text. */
interface Place {
  readonly text: number;
  readonly at: number;
}

/** Texts with gaps in, what belongs there out: transformers' `FillMaskPipeline`. */
export class MaskFiller {
  private constructor(
    private readonly opened: OpenedRunner,
    private readonly maskId: number,
  ) {}

  /** Loads a folder with a masked language model. Errors: those of loading; WEIGHTS_MISSING without its head; TOKENIZER_INVALID without a mask. */
  static async fromPretrained(source: ModelFolderSource, options: LoadOptions = {}): Promise<MaskFiller> {
    const opened = await openTextRunner(source, "masked-lm", options);
    const maskId = opened.runner.tokenizer.specialTokenId("mask");
    if (maskId === undefined) {
      opened.runner.dispose();
      opened.release();
      throw new HeddleError("TOKENIZER_INVALID", "[fill-mask] the tokenizer has no mask_token: name it in tokenizer_config.json");
    }
    return new MaskFiller(opened, maskId);
  }

  /** What a gap is written as: "[MASK]" or "<mask>". */
  get maskToken(): string {
    return this.opened.runner.tokenizer.specialTokens.mask!;
  }

  /**
   * The likeliest tokens for each mask of each text.
   *
   * @throws INVALID_ARGUMENT for a text without a mask, or longer than the model takes; ABORTED, DISPOSED
   */
  async fill(texts: readonly string[], { topK = 5, targets, batchSize, signal }: FillMaskOptions = {}): Promise<FilledMask[][][]> {
    checkTexts(texts);
    const { runner } = this.opened;
    const { tokenizer } = runner;
    const { vocabSize } = textConfigOf(runner.model.config);
    if (!Number.isInteger(topK) || topK < 1) throw new HeddleError("INVALID_ARGUMENT", `[fill-mask] topK is ${topK}: pass a whole number of at least 1`);
    const encodings = texts.map((text) => tokenizer.encode(text));
    const places = encodings.flatMap(({ ids }, text): Place[] => {
      if (ids.length > runner.maxLength) throw new HeddleError("INVALID_ARGUMENT", `[fill-mask] text ${text} has ${ids.length} tokens, the model takes ${runner.maxLength}: shorten it around the mask`);
      const masks = ids.flatMap((id, at) => (id === this.maskId ? [{ text, at }] : []));
      if (masks.length === 0) throw new HeddleError("INVALID_ARGUMENT", `[fill-mask] text ${text} has no ${this.maskToken}: write it where a word is missing`);
      return masks;
    });
    const candidates = targets && this.#targetIds(targets);
    const k = Math.min(topK, candidates?.length ?? vocabSize);
    const results = await runner.runRows(places.map(({ text }) => rowOf(encodings[text]!)), candidates ? "fill-mask/all" : `fill-mask/${k}`, candidates ? allTokens : bestTokens(k), {
      ...(batchSize !== undefined && { batchSize }),
      ...(signal && { signal }),
      rowInputs: (numbers, size) => ({ places: { shape: [size, 1], data: Float32Array.from({ length: size }, (_, i) => (i < numbers.length ? places[numbers[i]!]!.at : 0)) } }),
    });
    const filled: FilledMask[][][] = texts.map(() => []);
    places.forEach(({ text, at }, i) => {
      const { scores, tokens } = results[i]!;
      const best = candidates
        ? candidates.map((token) => ({ token, score: scores![token]! })).sort((a, b) => b.score - a.score).slice(0, k)
        : Array.from(tokens!, (token, j) => ({ token, score: scores![j]! }));
      const isOnly = places.filter((place) => place.text === text).length === 1;
      filled[text]!.push(best.map(({ token, score }) => ({ score, token, tokenStr: tokenizer.decode([token], { skipSpecialTokens: false }), sequence: this.#sequence(encodings[text]!.ids, at, token, isOnly) })));
    });
    return filled;
  }

  /** Special tokens are left out, unless the other masks among them would be missed. */
  #sequence(ids: readonly number[], at: number, token: number, skipSpecialTokens: boolean): string {
    const { tokenizer } = this.opened.runner;
    const padId = tokenizer.specialTokenId("pad");
    return tokenizer.decode(ids.map((id, i) => (i === at ? token : id)).filter((id) => id !== padId), { skipSpecialTokens });
  }

  #targetIds(targets: readonly string[]): number[] {
    const { tokenizer } = this.opened.runner;
    const ids = targets.map((target) => {
      const id = tokenizer.tokenToId(target) ?? tokenizer.encode(target, { addSpecialTokens: false }).ids[0];
      if (id === undefined) throw new HeddleError("INVALID_ARGUMENT", `[fill-mask] the target ${JSON.stringify(target)} has no token: leave it out`);
      return id;
    });
    if (ids.length === 0) throw new HeddleError("INVALID_ARGUMENT", "[fill-mask] targets is empty: pass words to choose from, or leave it out");
    return [...new Set(ids)];
  }

  /** Frees the model, and the device where it was opened for this filler. */
  dispose(): void {
    this.opened.runner.dispose();
    this.opened.release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Probabilities [batch, vocabulary] at one place of each row: scores of all the others would fill the device's memory for nothing. */
function probabilities({ decoder }: ModelOutputs, places: Tensor): Tensor {
  return softmax(scoresOf(decoder!, tokenAt(decoder!.hidden, places)));
}

const allTokens: Finish = (outputs, _, { places }) => ({ scores: probabilities(outputs, places!) });

/** `scores` f32 and `tokens` i32 [batch, k]. */
const bestTokens =
  (k: number): Finish =>
  (outputs, _, { places }) => {
    const { values, indices } = largest(probabilities(outputs, places!), k);
    return { scores: values, tokens: indices };
  };
