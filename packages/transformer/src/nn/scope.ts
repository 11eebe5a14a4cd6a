import type { Shape, TensorLike } from "@heddle/kernels";

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
  /** It is only ever multiplied with or looked up in, which half precision serves too. */
  readonly isMatrix: boolean;
}

/** Gives the parameter that a spec describes: a state of a loaded model, or a note that such a parameter exists. */
export type ParameterSource = (spec: ParameterSpec) => TensorLike;

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

  parameter(name: string, shape: Shape, initializer: Initializer): TensorLike {
    return this.source({ name: this.prefix + name, shape, initializer, isMatrix: false });
  }

  /** A parameter `weight` that is the table of an embedding or the second operand of a product, and nothing else. */
  matrix(shape: Shape, initializer: Initializer): TensorLike {
    return this.source({ name: `${this.prefix}weight`, shape, initializer, isMatrix: true });
  }
}
