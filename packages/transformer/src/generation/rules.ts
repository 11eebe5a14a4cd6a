import type { RunInputs } from "@heddle/kernels";
import type { ResolvedOptions } from "./options.ts";
import { NEVER } from "./pick.ts";

export type RuleOptions = Pick<ResolvedOptions, "minNewTokens" | "repetitionPenalty" | "presencePenalty" | "frequencyPenalty" | "noRepeatNgramSize" | "suppressTokens" | "beginSuppressTokens" | "forcedTokens" | "forcedEosTokenId" | "allowedTokens">;

/** One text while it grows. */
export interface GrowingText {
  readonly prompt: readonly number[];
  readonly newTokens: readonly number[];
}

/**
 * What rules that look at the text so far add to scores: worked out on the host, which knows the text, and sent only where a rule is
 * in force.
 */
export class Rules {
  constructor(
    private readonly options: RuleOptions,
    private readonly vocabulary: number,
    private readonly eosTokenIds: readonly number[],
    /** Tokens that a text may get at most. */
    private readonly limit: number,
  ) {}

  /** The only token that may come next, where there is such. */
  forced({ newTokens }: GrowingText): number | undefined {
    const { forcedTokens, forcedEosTokenId } = this.options;
    return forcedTokens[newTokens.length] ?? (newTokens.length === this.limit - 1 ? forcedEosTokenId : undefined);
  }

  /** Inputs `bias`, and `repeated` with `repetitionPenalty`, for the next token of each text. */
  async inputs(texts: readonly GrowingText[]): Promise<RunInputs> {
    const { repetitionPenalty } = this.options;
    const shape = [texts.length, this.vocabulary];
    const rows = async (fill: (row: Float32Array, text: GrowingText, index: number) => Promise<void> | void) => {
      const data = new Float32Array(texts.length * this.vocabulary);
      for (const [i, text] of texts.entries()) await fill(data.subarray(i * this.vocabulary, (i + 1) * this.vocabulary), text, i);
      return { shape, data };
    };
    return {
      ...(this.hasBias && { bias: await rows((row, text, i) => this.addBias(row, text, i)) }),
      ...(repetitionPenalty !== 1 && {
        repetitionPenalty,
        repeated: await rows((row, { prompt, newTokens }) => {
          for (const token of [...prompt, ...newTokens]) row[token] = 1;
        }),
      }),
    };
  }

  private get hasBias(): boolean {
    const { minNewTokens, presencePenalty, frequencyPenalty, noRepeatNgramSize, suppressTokens, beginSuppressTokens, forcedTokens, forcedEosTokenId, allowedTokens } = this.options;
    return minNewTokens > 0 || presencePenalty !== 0 || frequencyPenalty !== 0 || noRepeatNgramSize > 0 || suppressTokens.length > 0 || beginSuppressTokens.length > 0 || forcedTokens.length > 0 || forcedEosTokenId !== undefined || allowedTokens !== undefined;
  }

  private async addBias(bias: Float32Array, { prompt, newTokens }: GrowingText, index: number): Promise<void> {
    const { minNewTokens, presencePenalty, frequencyPenalty, noRepeatNgramSize, suppressTokens, beginSuppressTokens, allowedTokens } = this.options;
    const forced = this.forced({ prompt, newTokens });
    if (forced !== undefined) {
      bias.fill(NEVER);
      bias[forced] = 0;
      return;
    }
    const allowed = await allowedTokens?.(newTokens, index);
    if (allowed) {
      bias.fill(NEVER);
      for (let i = 0; i < allowed.length; i++) bias[allowed[i]!] = 0;
    }
    for (const token of newTokens) bias[token]! -= frequencyPenalty;
    for (const token of new Set(newTokens)) bias[token]! -= presencePenalty;
    const forbidden = [
      ...suppressTokens,
      ...(newTokens.length === 0 ? beginSuppressTokens : []),
      ...(newTokens.length < minNewTokens ? this.eosTokenIds : []),
      ...(noRepeatNgramSize > 0 ? endingsOf([...prompt, ...newTokens], noRepeatNgramSize) : []),
    ];
    for (const token of forbidden) bias[token] = NEVER;
  }
}

/** Tokens that would make the last n tokens a sequence that the text has already. */
function endingsOf(text: readonly number[], n: number): number[] {
  const start = text.length - n + 1;
  if (start < 0) return [];
  const endings: number[] = [];
  for (let i = 0; i + n <= text.length; i++) {
    let same = true;
    for (let j = 0; same && j < n - 1; j++) same = text[i + j] === text[start + j];
    if (same) endings.push(text[i + n - 1]!);
  }
  return endings;
}
