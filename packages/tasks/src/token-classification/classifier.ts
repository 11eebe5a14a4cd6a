import { HeddleError, softmax } from "@heddle/kernels";
import type { FramedTokens, ModelFolderSource } from "@heddle/transformer";
import { checkTexts } from "../inference/encode.ts";
import { openTextRunner, type LoadOptions, type OpenedRunner } from "../inference/open-runner.ts";
import { rowOf, type Finish } from "../inference/text-runner.ts";
import { truncationWarning } from "../text-classification/warnings.ts";
import { groupTokens, labelTokens, withoutOverlaps, type ScoredToken } from "./aggregate.ts";
import type { EntityGroup, TokenClassificationOptions, TokenEntity } from "./types.ts";

/** f32 [batch, length, labels]. */
const labelProbabilities: Finish = ({ logits }) => ({ scores: softmax(logits!) });

/** Texts in, labelled stretches of them out: names, places, amounts. transformers' `TokenClassificationPipeline`. */
export class TokenClassifier {
  private constructor(private readonly opened: OpenedRunner) {}

  /** Loads a folder with a token classification head. Errors: those of loading; WEIGHTS_MISSING without a trained head. */
  static async fromPretrained(source: ModelFolderSource, options: LoadOptions = {}): Promise<TokenClassifier> {
    return new TokenClassifier(await openTextRunner(source, "token-classification", options));
  }

  /** In the order of their ids. */
  get labels(): readonly string[] {
    return this.opened.runner.model.config.id2label;
  }

  /**
   * What is found in each text, in the order of the text. Places are UTF-16 code units, so that `text.slice(start, end)` is what is meant.
   *
   * @throws INVALID_ARGUMENT, ABORTED, DISPOSED
   */
  async classify(texts: readonly string[], options: TokenClassificationOptions = {}): Promise<(TokenEntity | EntityGroup)[][]> {
    const { aggregationStrategy = "none", ignoreLabels = ["O"], stride, batchSize, signal, onWarning } = options;
    checkTexts(texts);
    const { runner } = this.opened;
    const { tokenizer } = runner;
    const room = runner.maxLength - tokenizer.frameSize();
    if (stride !== undefined && (!Number.isInteger(stride) || stride < 0 || stride >= room)) throw new HeddleError("INVALID_ARGUMENT", `[token-classification] stride is ${stride}: pass a whole number of tokens from 0 to ${room - 1}`);
    if (stride !== undefined && aggregationStrategy === "none") throw new HeddleError("INVALID_ARGUMENT", '[token-classification] stride joins what several windows found, which aggregationStrategy "none" does not: pass "simple", "first", "average" or "max"');
    const truncated: number[] = [];
    const windows = texts.flatMap((text, place): { readonly place: number; readonly framed: FramedTokens }[] => {
      const tokens = tokenizer.tokenize(text);
      const all = tokenizer.frameOverflowing(tokens, undefined, { maxLength: runner.maxLength, stride: stride ?? 0 });
      if (stride === undefined && all.length > 1) truncated.push(place);
      return (stride === undefined ? all.slice(0, 1) : all).map((framed) => ({ place, framed }));
    });
    if (truncated.length > 0) onWarning?.(truncationWarning(truncated, texts.length, runner.maxLength));
    const results = await runner.runRows(windows.map(({ framed }) => rowOf(framed)), "token-classification", labelProbabilities, { ...(batchSize !== undefined && { batchSize }), ...(signal && { signal }) });
    const numLabels = this.labels.length;
    const found: (TokenEntity | EntityGroup)[][] = texts.map(() => []);
    windows.forEach(({ place, framed }, w) => {
      const probabilities = results[w]!["scores"] as Float32Array;
      const tokens = framed.tokens.flatMap((token, index): ScoredToken[] => (token ? [{ token, index, scores: probabilities.subarray(index * numLabels, (index + 1) * numLabels) }] : []));
      const context = { text: texts[place]!, tokenizer, labels: this.labels };
      const all = aggregationStrategy === "none" ? labelTokens(tokens, context) : groupTokens(tokens, aggregationStrategy, context);
      found[place]!.push(...all.filter((one) => !ignoreLabels.includes("entity" in one ? one.entity : one.entityGroup)));
    });
    return stride === undefined ? found : found.map((groups) => withoutOverlaps(groups as EntityGroup[]));
  }

  /** Frees the model, and the device where it was opened for this classifier. */
  dispose(): void {
    this.opened.runner.dispose();
    this.opened.release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
