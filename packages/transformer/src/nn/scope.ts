import { HeddleError, isQuantized, type QuantizedWeight, type Shape, type TensorLike } from "@heddle/kernels";

/** How a new parameter starts. `normal` has mean 0. */
export type Initializer = { readonly kind: "normal"; readonly standardDeviation: number } | { readonly kind: "zeros" } | { readonly kind: "ones" } | { readonly kind: "constant"; readonly value: number };

export const zeros: Initializer = { kind: "zeros" };
export const ones: Initializer = { kind: "ones" };
export const constant = (value: number): Initializer => ({ kind: "constant", value });
export const normal = (standardDeviation: number): Initializer => ({ kind: "normal", standardDeviation });

/** A parameter as the model code declares it, where it uses it. */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: Shape;
  readonly initializer: Initializer;
  /** Only ever multiplied with or looked up in, which fewer bits serve too. */
  readonly matrix?: true;
}

/** A matrix in floats, or in blocks of few bits. */
export type Weight = TensorLike | QuantizedWeight;

/** Gives the parameter that a spec describes: a state of a loaded model, or a note that such a parameter exists. */
export type ParameterSource = (spec: ParameterSpec) => Weight;

/**
 * A prefix in the tree of parameter names, spelled as Hugging Face spells them:
 * `scope.in("attention.self.query")` holds `….attention.self.query.weight`.
 */
export class Scope {
  constructor(
    private readonly source: ParameterSource,
    private readonly prefix = "",
  ) {}

  in(name: string | number): Scope {
    return new Scope(this.source, `${this.prefix}${name}.`);
  }

  /** The same parameters, but that the one of this full name is worked out from others. */
  replacing(name: string, weight: Weight): Scope {
    return new Scope((spec) => (spec.name === name ? weight : this.source(spec)), this.prefix);
  }

  /** @param matrix it is nothing but an operand of products, and may be held in half precision */
  parameter(name: string, shape: Shape, initializer: Initializer, matrix?: true): TensorLike {
    const found = this.source({ name: this.prefix + name, shape, initializer, ...(matrix && { matrix }) });
    if (isQuantized(found)) throw new HeddleError("DTYPE_MISMATCH", `[${this.prefix}${name}] is held in ${found.format} and read as floats; load the model with dtype "float32"`);
    return found;
  }

  /** A matrix [outputs, inputs] of which products along the inputs and rows are taken, and nothing else: it may be held in fewer bits. */
  matrix(name: string, shape: Shape, initializer: Initializer): Weight {
    return this.source({ name: this.prefix + name, shape, initializer, matrix: true });
  }
}
