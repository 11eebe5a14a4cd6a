import { HeddleError, reshape } from "@heddle/kernels";
import type { FramedTokens, ModelFolderSource, TextToken } from "@heddle/transformer";
import { checkTexts } from "../inference/encode.ts";
import { openTextRunner, type LoadOptions, type OpenedRunner } from "../inference/open-runner.ts";
import { rowOf, type Finish } from "../inference/text-runner.ts";
import { bestSpans } from "./spans.ts";
import type { Answer, Question, QuestionAnsweringOptions } from "./types.ts";

const DEFAULT_WINDOW = 384;
const DEFAULT_STRIDE = 128;

const spanLogits: Finish = ({ startLogits, endLogits }) => ({ start: reshape(startLogits!, startLogits!.shape), end: reshape(endLogits!, endLogits!.shape) });

/** A question and a part of its context. */
interface QuestionWindow {
  readonly place: number;
  readonly framed: FramedTokens;
}

/** Questions in, stretches of their contexts out: transformers' `QuestionAnsweringPipeline`. */
export class QuestionAnswerer {
  private constructor(private readonly opened: OpenedRunner) {}

  /** Loads a folder with a question answering head. Errors: those of loading; WEIGHTS_MISSING without a trained head. */
  static async fromPretrained(source: ModelFolderSource, options: LoadOptions = {}): Promise<QuestionAnswerer> {
    return new QuestionAnswerer(await openTextRunner(source, "question-answering", options));
  }

  /**
   * The best answers to each question, best first. Contexts of any length: long ones are read in windows that overlap.
   *
   * @throws INVALID_ARGUMENT, also for a question that leaves no room for its context, ABORTED, DISPOSED
   */
  async answer(questions: readonly Question[], options: QuestionAnsweringOptions = {}): Promise<Answer[][]> {
    const { topK = 1, maxAnswerLength = 15, handleImpossibleAnswer = false, alignToWords = true, batchSize, signal } = options;
    for (const [name, value] of Object.entries({ topK, maxAnswerLength })) {
      if (!Number.isInteger(value) || value < 1) throw new HeddleError("INVALID_ARGUMENT", `[question-answering] ${name} is ${value}: pass a whole number of at least 1`);
    }
    checkTexts(questions.flatMap(({ question, context }) => [question, context]));
    const { runner } = this.opened;
    const windows = questions.flatMap((question, place) => this.#windows(question, options).map((framed): QuestionWindow => ({ place, framed })));
    const results = await runner.runRows(windows.map(({ framed }) => rowOf(framed)), "question-answering", spanLogits, { ...(batchSize !== undefined && { batchSize }), ...(signal && { signal }) });
    // Some of the best become one when they are widened to words.
    const candidates = alignToWords ? 2 * topK + 10 : topK;
    const answers: Answer[][] = questions.map(() => []);
    const nullScores = questions.map(() => Infinity);
    const clsId = runner.tokenizer.specialTokenId("cls");
    windows.forEach(({ place, framed }, w) => {
      const { start, end } = results[w]!;
      const allowed = framed.ids.map((id, i) => framed.sequences[i] === 1 || id === clsId);
      const { spans, nullScore } = bestSpans(start!, end!, allowed, candidates, maxAnswerLength);
      nullScores[place] = Math.min(nullScores[place]!, nullScore);
      for (const { first, last, score } of spans) addAnswer(answers[place]!, questions[place]!.context, placeOf(framed, first, last, alignToWords), score);
    });
    return answers.map((found, place) => {
      const all = handleImpossibleAnswer ? [...found, { score: nullScores[place]!, start: 0, end: 0, answer: "" }] : found;
      return all.toSorted((a, b) => b.score - a.score).slice(0, topK);
    });
  }

  #windows({ question, context }: Question, { maxSeqLength, docStride }: QuestionAnsweringOptions): FramedTokens[] {
    const { tokenizer, maxLength } = this.opened.runner;
    const size = Math.min(maxLength, maxSeqLength ?? DEFAULT_WINDOW);
    const stride = docStride ?? Math.min(Math.floor(size / 2), DEFAULT_STRIDE);
    if (question === "" || context === "") throw new HeddleError("INVALID_ARGUMENT", `[question-answering] the ${question === "" ? "question" : "context"} is empty: pass a text`);
    const asked = tokenizer.tokenize(question);
    const read = tokenizer.tokenize(context);
    const room = size - tokenizer.frameSize(true) - asked.length;
    if (read.length <= room) return [tokenizer.frame(asked, read)];
    if (room < 1 || room <= stride) {
      throw new HeddleError("INVALID_ARGUMENT", `[question-answering] a window has ${size} tokens, the question ${asked.length}: that leaves ${Math.max(0, room)} for the context, of which ${stride} are shared; ask a shorter question or pass a smaller docStride`);
    }
    return tokenizer.frameOverflowing(asked, read, { maxLength: size, truncation: "only_second", stride });
  }

  /** Frees the model, and the device where it was opened for this answerer. */
  dispose(): void {
    this.opened.runner.dispose();
    this.opened.release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Where a stretch of tokens stands in the context, from the beginning of its first word to the end of its last one where asked for. */
function placeOf({ tokens, sequences }: FramedTokens, first: number, last: number, toWords: boolean): { readonly start: number; readonly end: number } {
  const [from, to] = [tokens[first] as TextToken, tokens[last] as TextToken];
  if (!toWords) return { start: from.start, end: to.end };
  const inWord = (word: number) => tokens.filter((token, i): token is TextToken => sequences[i] === 1 && token!.word === word);
  return { start: inWord(from.word)[0]!.start, end: inWord(to.word).at(-1)!.end };
}

/** Equal answers from several places or windows are one, with the sum of their scores. */
function addAnswer(answers: Answer[], context: string, { start, end }: { readonly start: number; readonly end: number }, score: number): void {
  const answer = context.slice(start, end);
  const same = answers.findIndex((one) => one.answer.toLowerCase() === answer.toLowerCase());
  if (same >= 0) answers[same] = { ...answers[same]!, score: answers[same]!.score + score };
  else answers.push({ score, start, end, answer });
}
