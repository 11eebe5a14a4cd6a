import { HeddleError } from "../../errors.ts";
import type { Op } from "../../program/op.ts";
import type { Tensor } from "../../program/tensor.ts";
import { asTensor, emitOne, type TensorLike } from "../../program/trace.ts";
import { mul } from "../elementwise/arithmetic.ts";
import { defineElementwise } from "../elementwise/define.ts";
import { onnxActivation, onnxDerivative } from "./op.onnx.ts";
import { activationFunctions, activationWgsl, type ActivationKind } from "./functions.ts";

interface ActivationAttributes {
  kind: ActivationKind;
}

const derivativeOp: Op<ActivationAttributes> = defineElementwise<ActivationAttributes>({
  name: "activationDerivative",
  operands: 1,
  accepts: "f32",
  functions: ({ width }, { kind }) => activationWgsl(kind, width, "derivative").functions,
  wgsl: ([x], { kind }, { width }) => `${activationWgsl(kind, width, "derivative").name}(${x})`,
  reference: ([x], { kind }) => activationFunctions[kind].referenceDerivative(x!),
  onnx: (graph, [x], { kind }) => onnxDerivative(graph, kind, x!),
});

const activationOp: Op<ActivationAttributes> = defineElementwise<ActivationAttributes>({
  name: "activation",
  operands: 1,
  accepts: "f32",
  functions: ({ width }, { kind }) => activationWgsl(kind, width).functions,
  wgsl: ([x], { kind }, { width }) => `${activationWgsl(kind, width).name}(${x})`,
  reference: ([x], { kind }) => activationFunctions[kind].reference(x!),
  onnx: (graph, [x], { kind }) => onnxActivation(graph, kind, x!),
  vjp: ({ inputs: [x], attributes }, g) => [mul(g, emitOne(derivativeOp, [x!], attributes))],
});

const apply = (kind: ActivationKind, x: TensorLike) => emitOne(activationOp, [x], { kind });

/** The derivative of an activation at x, for ops that apply one inside their own kernel. Not differentiable itself. */
export const activationDerivative = (kind: ActivationKind, x: TensorLike): Tensor => emitOne(derivativeOp, [x], { kind });

/** max(x, 0). The gradient at 0 is 0. */
export const relu = (x: TensorLike): Tensor => apply("relu", x);
/** x·Φ(x), the exact GELU (Hendrycks & Gimpel 2016); within 1e-6 of f64 on f32. */
export const gelu = (x: TensorLike): Tensor => apply("gelu", x);
/** GELU by its tanh approximation, as GPT-2 uses it. */
export const geluTanh = (x: TensorLike): Tensor => apply("geluTanh", x);
/** x·σ(1.702x), as CLIP uses it. */
export const geluQuick = (x: TensorLike): Tensor => apply("geluQuick", x);
/** x·σ(x), also called swish. */
export const silu = (x: TensorLike): Tensor => apply("silu", x);
/** ln(1 + eˣ). */
export const softplus = (x: TensorLike): Tensor => apply("softplus", x);

/** Kinds by the names in a Hugging Face config's `hidden_act`; the identity has no kernel text. */
const KIND_OF_NAME = {
  relu: "relu",
  gelu: "gelu",
  gelu_python: "gelu",
  gelu_new: "geluTanh",
  gelu_pytorch_tanh: "geluTanh",
  gelu_fast: "geluTanh",
  quick_gelu: "geluQuick",
  silu: "silu",
  swish: "silu",
  softplus: "softplus",
  tanh: "tanh",
  linear: "identity",
  identity: "identity",
} as const satisfies Record<string, ActivationKind | "identity">;

export type ActivationName = keyof typeof KIND_OF_NAME;

export const activationNames = Object.keys(KIND_OF_NAME) as readonly ActivationName[];

/** The kind behind a Hugging Face name. Throws INVALID_ARGUMENT for a name that this library does not know. */
export function activationKind(name: string): ActivationKind | "identity" {
  if (!Object.hasOwn(KIND_OF_NAME, name)) {
    throw new HeddleError("INVALID_ARGUMENT", `[activation] there is no activation "${name}"; config.json's hidden_act can be ${activationNames.join(", ")}`);
  }
  return KIND_OF_NAME[name as ActivationName];
}

/**
 * An activation by its name in a Hugging Face config ("gelu", "gelu_new", "silu", …).
 *
 * @param x f32 of any shape
 * @throws INVALID_ARGUMENT for an unknown name
 */
export function activation(name: string, x: TensorLike): Tensor {
  const kind = activationKind(name);
  if (kind === "identity") return asTensor(x);
  return apply(kind, x);
}
