/** A question about a text. */
export interface Question {
  readonly question: string;
  readonly context: string;
}

export interface Answer {
  readonly score: number;
  /** [start, end) in UTF-16 code units: `context.slice(start, end)` is the answer. 0 and 0 for "there is no answer". */
  readonly start: number;
  readonly end: number;
  readonly answer: string;
}

/** Names and defaults of transformers' `QuestionAnsweringPipeline`. */
export interface QuestionAnsweringOptions {
  /** Answers a question gets, best first; fewer where the context has not so many. Default 1. */
  readonly topK?: number;
  /** Longest window of question and context, in tokens. Default 384, or what the model takes. */
  readonly maxSeqLength?: number;
  /** Tokens that a window shares with the one before, where the context is longer. Default 128, or half a window. */
  readonly docStride?: number;
  /** Longest answer in tokens. Default 15. */
  readonly maxAnswerLength?: number;
  /** Let "there is no answer" be one, for models that were trained with such questions. Default false. */
  readonly handleImpossibleAnswer?: boolean;
  /** Answers begin and end with words. Default true; pass false for languages that write no spaces. */
  readonly alignToWords?: boolean;
  /** Most windows that go through the model at once. Default 32. */
  readonly batchSize?: number;
  readonly signal?: AbortSignal;
}
