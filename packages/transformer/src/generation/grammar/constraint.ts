import { HeddleError } from "@heddle/kernels";
import type { CompiledGrammar, GrammarCompiler, GrammarMatcher, TokenizerInfo } from "@mlc-ai/web-xgrammar";
import type { Tokenizer } from "../../text/index.ts";
import type { GenerationOptions } from "../options.ts";
import { forgetGrammarEngine, grammarEngineSays, loadGrammarEngine, type GrammarEngine } from "./engine.ts";
import { readSchema, schemaInvalid, type OutputSchema, type ReadSchema } from "./schema.ts";
import { grammarVocabulary } from "./vocabulary.ts";

/** Between the members of lists and objects, and after keys: as Python's `json.dumps` writes, on one line. */
const SEPARATORS: [comma: string, colon: string] = [", ", ": "];

/** Schemas for one model's texts: what the grammar engine knows of its tokens is worked out once. */
export class SchemaGrammars {
  private compiler: Promise<{ readonly engine: GrammarEngine; readonly info: TokenizerInfo; readonly compiler: GrammarCompiler }> | undefined;

  /**
   * @param vocabSize of the model's scores
   * @param eosTokenIds end the text once its JSON is whole; at least one
   */
  constructor(
    private readonly tokenizer: Tokenizer,
    private readonly vocabSize: number,
    private readonly eosTokenIds: readonly number[],
  ) {
    if (eosTokenIds.length === 0) throw new HeddleError("INVALID_ARGUMENT", "[schema] the model names no token that ends its texts: add eos_token_id to config.json or generation_config.json");
  }

  /** Throws SCHEMA_INVALID, GRAMMAR_ENGINE_MISSING. */
  async constrain<T>(schema: OutputSchema<T>): Promise<SchemaConstraint<T>> {
    const read = readSchema(schema);
    const { engine, compiler } = await (this.compiler ??= this.open());
    try {
      const grammar = await compiler.compileJSONSchema(JSON.stringify(read.jsonSchema), false, -1, SEPARATORS, true);
      return new SchemaConstraint(engine, grammar, read, this.vocabSize);
    } catch (cause) {
      // It gave up in the middle of its work: the next schema gets another.
      this.compiler = undefined;
      forgetGrammarEngine();
      throw schemaInvalid(grammarEngineSays() || "the grammar engine gave up on it", cause);
    }
  }

  dispose(): void {
    const opened = this.compiler;
    this.compiler = undefined;
    void opened?.then(
      ({ compiler, info }) => {
        compiler.dispose();
        info.dispose();
      },
      () => undefined,
    );
  }

  private async open() {
    const engine = await loadGrammarEngine();
    const { tokens, spelling } = grammarVocabulary(this.tokenizer, this.vocabSize);
    const info = await engine.TokenizerInfo.createTokenizerInfo([...tokens], spelling, false, this.vocabSize, [...this.eosTokenIds]);
    return { engine, info, compiler: await engine.GrammarCompiler.createGrammarCompiler(info) };
  }
}

/** Where a text is in its grammar. */
interface Progress {
  readonly matcher: GrammarMatcher;
  readonly accepted: number[];
  /** A bit a token: what may follow those accepted. */
  mask: Int32Array;
}

/** Holds texts to a schema, token by token. Dispose of it when they are written. */
export class SchemaConstraint<T = unknown> {
  private readonly rows = new Map<number, Progress>();
  private readonly buffer: Int32Array;

  constructor(
    private readonly engine: GrammarEngine,
    private readonly grammar: CompiledGrammar,
    private readonly schema: ReadSchema<T>,
    vocabSize: number,
  ) {
    this.buffer = new Int32Array(vocabSize);
  }

  /** Which tokens may follow, for `GenerationOptions`. Throws SCHEMA_NOT_MET where other rules led the text out of the grammar. */
  readonly allowedTokens: NonNullable<GenerationOptions["allowedTokens"]> = async (newTokens, row) => {
    const progress = await this.progress(newTokens, row);
    const { matcher, accepted } = progress;
    for (const token of newTokens.slice(accepted.length)) {
      if (matcher.isTerminated()) return null;
      const mayFollow = ((progress.mask[token >> 5] ?? 0) >>> (token & 31)) & 1;
      if (!mayFollow || !matcher.acceptToken(token)) throw new HeddleError("SCHEMA_NOT_MET", `[schema] token ${token} cannot follow: other rules (minNewTokens, suppressTokens, noRepeatNgramSize) left no token that may; leave them out`);
      accepted.push(token);
      if (!matcher.isTerminated()) progress.mask = await matcher.getNextTokenBitmask();
    }
    if (matcher.isTerminated()) return null;
    const { mask } = progress;
    let count = 0;
    for (let word = 0; word < mask.length; word++) {
      for (let bits = mask[word]!; bits !== 0; bits &= bits - 1) {
        const token = word * 32 + 31 - Math.clz32(bits & -bits);
        if (token < this.buffer.length) this.buffer[count++] = token;
      }
    }
    return this.buffer.subarray(0, count);
  };

  /** A text's value. Throws SCHEMA_NOT_MET. */
  parse(text: string): T {
    return this.schema.parse(text);
  }

  dispose(): void {
    for (const { matcher } of this.rows.values()) matcher.dispose();
    this.rows.clear();
    this.grammar.dispose();
  }

  /** A text that begins otherwise than before is read anew. */
  private async progress(newTokens: readonly number[], row: number): Promise<Progress> {
    let progress = this.rows.get(row);
    if (!progress) {
      const matcher = await this.engine.GrammarMatcher.createGrammarMatcher(this.grammar);
      progress = { matcher, accepted: [], mask: await matcher.getNextTokenBitmask() };
      this.rows.set(row, progress);
    }
    if (progress.accepted.some((token, i) => token !== newTokens[i])) {
      progress.matcher.reset();
      progress.accepted.length = 0;
      progress.mask = await progress.matcher.getNextTokenBitmask();
    }
    return progress;
  }
}
