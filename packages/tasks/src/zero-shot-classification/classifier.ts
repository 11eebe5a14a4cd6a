import { HeddleError, reshape } from "@heddle/kernels";
import type { ModelFolderSource } from "@heddle/transformer";
import { checkTexts } from "../inference/encode.ts";
import { openTextRunner, type LoadOptions, type OpenedRunner } from "../inference/open-runner.ts";
import { rowOf, type Finish } from "../inference/text-runner.ts";

export interface ZeroShotOptions {
  /** A sentence with {} where the label goes. Default "This example is {}." */
  readonly hypothesisTemplate?: string;
  /** Each label by itself, so that several may be right. Default false: the scores of a text add up to 1. */
  readonly multiLabel?: boolean;
  /** Most pairs of text and label that go through the model at once. Default 32. */
  readonly batchSize?: number;
  readonly signal?: AbortSignal;
}

/** Labels from the best to the worst, with their scores. */
export interface ZeroShotClassification {
  readonly sequence: string;
  readonly labels: readonly string[];
  readonly scores: readonly number[];
}

const DEFAULT_TEMPLATE = "This example is {}.";

const plainLogits: Finish = ({ logits }) => ({ logits: reshape(logits!, logits!.shape) });

/**
 * Texts and labels of the moment in, scores out: a model that tells whether one sentence follows from another judges "This example is
 * LABEL." for each label (Yin et al. 2019, arXiv:1909.00161; transformers' `ZeroShotClassificationPipeline`).
 */
export class ZeroShotClassifier {
  private constructor(
    private readonly opened: OpenedRunner,
    /** Which of the model's labels says that the second sentence follows. */
    private readonly entailment: number,
  ) {}

  /**
   * Loads a folder with a model of natural language inference.
   *
   * Errors: those of loading; WEIGHTS_MISSING without a trained head; INVALID_ARGUMENT for a model none of whose labels begins with "entail".
   */
  static async fromPretrained(source: ModelFolderSource, options: LoadOptions = {}): Promise<ZeroShotClassifier> {
    const opened = await openTextRunner(source, "sequence-classification", options);
    const { id2label } = opened.runner.model.config;
    const entailment = id2label.findIndex((label) => label.toLowerCase().startsWith("entail"));
    if (entailment < 0) {
      opened.runner.dispose();
      opened.release();
      throw new HeddleError("INVALID_ARGUMENT", `[zero-shot-classification] the model's labels are ${id2label.join(", ")}: choose one of natural language inference, with a label such as "entailment"`);
    }
    return new ZeroShotClassifier(opened, entailment);
  }

  /** @throws INVALID_ARGUMENT without labels, or for a template without {}; ABORTED, DISPOSED */
  async classify(texts: readonly string[], candidateLabels: readonly string[], { hypothesisTemplate = DEFAULT_TEMPLATE, multiLabel = false, batchSize, signal }: ZeroShotOptions = {}): Promise<ZeroShotClassification[]> {
    checkTexts([...texts, ...candidateLabels]);
    if (candidateLabels.length === 0) throw new HeddleError("INVALID_ARGUMENT", "[zero-shot-classification] there are no labels to choose from: pass at least one");
    if (!hypothesisTemplate.includes("{}")) throw new HeddleError("INVALID_ARGUMENT", `[zero-shot-classification] the template ${JSON.stringify(hypothesisTemplate)} has no {} for the label: write for example ${JSON.stringify(DEFAULT_TEMPLATE)}`);
    const { runner } = this.opened;
    const { tokenizer, maxLength } = runner;
    const hypotheses = candidateLabels.map((label) => tokenizer.tokenize(hypothesisTemplate.replaceAll("{}", () => label)));
    const rows = texts.flatMap((text) => {
      const premise = tokenizer.tokenize(text);
      return hypotheses.map((hypothesis, i) => {
        const room = maxLength - tokenizer.frameSize(true) - hypothesis.length;
        if (room < Math.min(1, premise.length)) throw new HeddleError("INVALID_ARGUMENT", `[zero-shot-classification] the sentence for ${JSON.stringify(candidateLabels[i])} has ${hypothesis.length} tokens, the model takes ${maxLength}: choose a shorter label or template`);
        return rowOf(tokenizer.frameOverflowing(premise, hypothesis, { maxLength, truncation: "only_first" })[0]!);
      });
    });
    const results = await runner.runRows(rows, "zero-shot-classification", plainLogits, { ...(batchSize !== undefined && { batchSize }), ...(signal && { signal }) });
    const count = candidateLabels.length;
    return texts.map((sequence, t) => {
      const logits = results.slice(t * count, (t + 1) * count).map((result) => Array.from(result["logits"]!));
      const scores = multiLabel || count === 1 ? logits.map((row) => this.#againstContradiction(row)) : softmaxOf(logits.map((row) => row[this.entailment]!));
      const order = scores.map((_, i) => i).sort((a, b) => scores[b]! - scores[a]!);
      return { sequence, labels: order.map((i) => candidateLabels[i]!), scores: order.map((i) => scores[i]!) };
    });
  }

  /** Contradiction is the first label, or the last where that is entailment. */
  #againstContradiction(logits: readonly number[]): number {
    return softmaxOf([logits.at(this.entailment === 0 ? -1 : 0)!, logits[this.entailment]!])[1]!;
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

function softmaxOf(logits: readonly number[]): number[] {
  const highest = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - highest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}
