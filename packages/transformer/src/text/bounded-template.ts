import { Environment, Interpreter, parse, Template, tokenize } from "@huggingface/jinja";

// A chat template comes with the model and is a program: it may loop, and loop in loops. It gets so much work and no more.

/** A step more for so many characters of a text, or elements of a list. */
const LENGTH_OF_STEP = 64;
const MOST_INDENT = 1000;

type Statement = Parameters<Interpreter["evaluate"]>[0];
type Value = ReturnType<Interpreter["evaluate"]>;

class BoundedInterpreter extends Interpreter {
  private steps = 0;

  constructor(
    environment: Environment,
    private readonly most: number,
  ) {
    super(environment);
  }

  spend(steps: number): void {
    this.steps += steps;
    if (this.steps > this.most) throw new Error(`it wants more than ${this.most} steps`);
  }

  override evaluate(statement: Statement, environment: Environment): Value {
    this.spend(1);
    if (statement?.type === "FilterExpression") this.checkIndent(statement as FilterWithArguments, environment);
    const result = super.evaluate(statement, environment);
    const { value } = result as { value: unknown };
    if (typeof value === "string" || Array.isArray(value)) this.spend(value.length / LENGTH_OF_STEP);
    return result;
  }

  /** Filters that write as many spaces as they are told to. */
  private checkIndent({ filter }: FilterWithArguments, environment: Environment): void {
    if (filter.callee?.value !== "indent" && filter.callee?.value !== "tojson") return;
    for (const argument of filter.args ?? []) {
      const { value } = this.evaluate(argument.value && typeof argument.value === "object" ? (argument.value as Statement) : argument, environment) as { value: unknown };
      if (typeof value === "number" && value > MOST_INDENT) throw new Error(`it indents by ${value}`);
    }
  }
}

type FilterWithArguments = NonNullable<Statement> & { readonly filter: { readonly callee?: { readonly value: string }; readonly args?: readonly (NonNullable<Statement> & { readonly value?: unknown })[] } };

/**
 * A Jinja template's text. Throws what the template raises, and where it would not come to an end.
 *
 * @param most expressions and pieces of text that it may take, each element of a range among them
 */
export function renderTemplate(source: string, variables: Readonly<Record<string, unknown>>, most: number): string {
  const environment = new Environment();
  const interpreter = new BoundedInterpreter(environment, most);
  const globals = {
    true: true,
    false: false,
    none: null,
    True: true,
    False: false,
    None: null,
    raise_exception(message: string) {
      throw new Error(message);
    },
    range(start: number, stop?: number, step = 1) {
      const [first, last] = stop === undefined ? [0, start] : [start, stop];
      const count = Math.max(0, Math.ceil((last - first) / step));
      if (!Number.isFinite(count)) throw new Error("range() wants whole numbers, and a step that is not 0");
      interpreter.spend(count);
      return Array.from({ length: count }, (_, i) => first + i * step);
    },
    // The library has it only inside its own render.
    strftime_now: (format: string) => new Template("{{ strftime_now(format) }}").render({ format }),
  };
  for (const [name, value] of Object.entries({ ...globals, ...variables })) environment.set(name, value);
  return (interpreter.run(parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true }))) as { value: string }).value;
}
