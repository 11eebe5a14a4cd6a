import { HeddleError } from "../../errors.ts";
import type { Op } from "../../program/op.ts";
import type { Tensor } from "../../program/tensor.ts";
import { asTensor, emit, type TensorLike } from "../../program/trace.ts";
import { formatShape, sizeOf, type Shape, type TensorType } from "../../program/types.ts";
import { activationDerivative, activationKind, type ActivationName } from "../activation/op.ts";
import type { ActivationKind } from "../activation/functions.ts";
import { mul } from "../elementwise/arithmetic.ts";
import { cast } from "../elementwise/unary.ts";
import { sum } from "../reduce/op.ts";
import { sumTo } from "../elementwise/define.ts";
import { reshape } from "../reshape/op.ts";
import { matmulSiblings } from "./siblings.ts";
import { absorbIntoProduct } from "./absorb.ts";
import { matmulBucket, matmulDesigns, naiveDesign, type MatmulDesign } from "./choose.ts";
import { onnxMatmul } from "./op.onnx.ts";
import { referenceMatmul } from "./op.reference.ts";
import { lowerMatmul } from "./op.wgsl.ts";
import type { WeightFormat } from "./weights.wgsl.ts";

export type MatmulActivation = ActivationKind | "identity";

/** What happens with an input of the result's shape: it is added to the activated result, or the result is multiplied with an activation of it. */
export type MatmulExtra = { readonly kind: "residual" } | { readonly kind: "gate"; readonly activation: MatmulActivation };

/** What a product ends with. */
export interface ProductAttributes {
  /** True: the input after the operands is a bias [N]. */
  bias: boolean;
  activation: MatmulActivation;
  /** Present: the last input is used so. Only `program/rewrite.ts` makes such products, after gradients were taken. */
  extra?: MatmulExtra;
}

export interface MatmulAttributes extends ProductAttributes {
  transposeA: boolean;
  transposeB: boolean;
}

/** The inputs after a and b by what they are. */
export function optionalInputs<T>(inputs: readonly T[], { bias, extra }: ProductAttributes): { bias: T | undefined; extra: T | undefined } {
  return { bias: bias ? inputs[0] : undefined, extra: extra && inputs[bias ? 1 : 0] };
}

/** A product as kernels see it: `batches` matrices [m, k] · [k, n], where an operand with one matrix serves all of them. */
export interface MatmulShape {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly batches: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly sharesA: boolean;
  readonly sharesB: boolean;
}

/** Reads sizes off the operands. Leading axes of `a` join its rows where `b` is one matrix and `a` lies row by row. */
export function matmulShape(a: Shape, b: Shape, { transposeA, transposeB }: Pick<MatmulAttributes, "transposeA" | "transposeB">): MatmulShape {
  const [rows, columns] = [a.at(-2)!, a.at(-1)!];
  const m = transposeA ? columns : rows;
  const k = transposeA ? rows : columns;
  const n = transposeB ? b.at(-2)! : b.at(-1)!;
  const leadA = sizeOf(a.slice(0, -2));
  const leadB = sizeOf(b.slice(0, -2));
  if (leadB === 1 && !transposeA) return { m: m * leadA, n, k, batches: 1, transposeA, transposeB, sharesA: false, sharesB: false };
  const batches = leadA === 1 ? leadB : leadA;
  return { m, n, k, batches, transposeA, transposeB, sharesA: leadA === 1, sharesB: leadB === 1 };
}

/** Products of one matrix with `count` others of one shape. */
export function siblingShape(a: Shape, b: Shape, count: number, attributes: Pick<MatmulAttributes, "transposeA" | "transposeB">): MatmulShape {
  return { ...matmulShape(a, b, attributes), batches: count, sharesA: true, sharesB: false };
}

export const weightFormat = ({ dtype }: TensorType): WeightFormat => (dtype === "f16" ? "f16" : "f32");

export const matmulOp: Op<MatmulAttributes, MatmulDesign> = {
  name: "matmul",
  infer([a, b, ...others], attributes) {
    const { transposeA, transposeB, activation } = attributes;
    const { bias } = optionalInputs(others, attributes);
    const shape = resultShape(a!, b!, transposeA, transposeB);
    if (bias && (bias.dtype !== "f32" || bias.shape.length !== 1 || bias.shape[0] !== shape.at(-1))) {
      throw new HeddleError("SHAPE_MISMATCH", `[matmul] the bias must be f32 [${shape.at(-1)}], one number a column of the result; got ${bias.dtype} ${formatShape(bias.shape)}`);
    }
    const y: TensorType = { dtype: "f32", shape };
    return activation === "identity" ? [y] : [y, y];
  },
  vjp({ inputs: [a, b], outputs: [, preActivation], gradients: [gradient, gradientBefore], attributes }) {
    if (gradientBefore) throw new HeddleError("NOT_DIFFERENTIABLE", "[matmul] the pre-activation is for the gradient alone; multiply without an activation where a loss needs it");
    const { transposeA, transposeB, activation, bias } = attributes;
    const g = activation === "identity" ? gradient! : mul(gradient!, activationDerivative(activation, preActivation!));
    // Weights stored in half precision are frozen.
    const gradients = [gradientOfA(g, b!, a!.shape, transposeA, transposeB), b!.dtype === "f16" ? null : gradientOfB(g, a!, b!.shape, transposeA, transposeB)];
    return bias ? [...gradients, sum(reshape(g, [-1, g.shape.at(-1)!]), { axes: [0] })] : gradients;
  },
  reference: referenceMatmul,
  optionalOutputs: 1,
  readsHalf: true,
  lower: lowerMatmul,
  tunable: {
    bucket: ([a, b], attributes) => matmulBucket(matmulShape(a!.shape, b!.shape, attributes), weightFormat(b!)),
    designs: (adapter, [a, b], attributes) => matmulDesigns(adapter, matmulShape(a!.shape, b!.shape, attributes), weightFormat(b!)),
    naive: naiveDesign,
  },
  absorb: absorbIntoProduct,
  get siblings() {
    return matmulSiblings;
  },
  onnx: onnxMatmul,
};

function resultShape(a: TensorType, b: TensorType, transposeA: boolean, transposeB: boolean): number[] {
  const spelled = `a ${formatShape(a.shape)}${transposeA ? "ᵀ" : ""} · b ${formatShape(b.shape)}${transposeB ? "ᵀ" : ""}`;
  if (a.dtype !== "f32" || (b.dtype !== "f32" && b.dtype !== "f16")) {
    throw new HeddleError("DTYPE_MISMATCH", `[matmul] wants f32 operands, b may be f16, got ${a.dtype} and ${b.dtype}; convert with cast()`);
  }
  if (a.shape.length < 2 || b.shape.length < 2) throw new HeddleError("SHAPE_MISMATCH", `[matmul] ${spelled}: both operands need two axes or more; add one of extent 1 with reshape()`);
  const m = transposeA ? a.shape.at(-1)! : a.shape.at(-2)!;
  const k = transposeA ? a.shape.at(-2)! : a.shape.at(-1)!;
  const kOfB = transposeB ? b.shape.at(-1)! : b.shape.at(-2)!;
  const n = transposeB ? b.shape.at(-2)! : b.shape.at(-1)!;
  if (k !== kOfB) throw new HeddleError("SHAPE_MISMATCH", `[matmul] ${spelled}: inner sizes ${k} and ${kOfB} differ`);
  const leadA = a.shape.slice(0, -2);
  const leadB = b.shape.slice(0, -2);
  const same = leadA.join() === leadB.join();
  if (!same && sizeOf(leadA) !== 1 && sizeOf(leadB) !== 1) {
    throw new HeddleError("SHAPE_MISMATCH", `[matmul] ${spelled}: leading axes ${formatShape(leadA)} and ${formatShape(leadB)} must be equal, or one operand a single matrix; repeat it with broadcastTo()`);
  }
  // Of two operands with one matrix each, the longer rank shows.
  const lead = same || sizeOf(leadB) === 1 ? (sizeOf(leadA) === 1 && leadB.length > leadA.length ? leadB : leadA) : leadB;
  return [...lead, m, n];
}

/** dA = dY·Bᵀ, stored as A is: its transpose B·dYᵀ where A came transposed. */
function gradientOfA(g: Tensor, b: Tensor, shape: Shape, transposeA: boolean, transposeB: boolean): Tensor {
  const full = transposeA ? matmul(cast(b, "f32"), g, { transposeA: transposeB, transposeB: true }) : matmul(g, b, { transposeB: !transposeB });
  return shapedLike(full, shape);
}

/** dB = Aᵀ·dY; where B is one matrix, all leading axes of A and dY are rows of one long product. */
function gradientOfB(g: Tensor, a: Tensor, shape: Shape, transposeA: boolean, transposeB: boolean): Tensor {
  const folds = sizeOf(shape.slice(0, -2)) === 1 && !transposeA;
  const rows = (x: Tensor) => (folds ? reshape(x, [-1, x.shape.at(-1)!]) : x);
  const [ga, aa] = [rows(g), rows(a)];
  const full = transposeB ? matmul(ga, aa, { transposeA: true, transposeB: transposeA }) : matmul(aa, ga, { transposeA: !transposeA });
  return shapedLike(full, shape);
}

/** Sums over batches where `shape` has one matrix. */
function shapedLike(full: Tensor, shape: Shape): Tensor {
  return full.size === sizeOf(shape) ? reshape(full, shape) : reshape(sumTo(reshape(full, [-1, ...full.shape.slice(-2)]), [1, ...full.shape.slice(-2)]), shape);
}

export interface MatmulOptions {
  /** `a` is stored [..., K, M]. */
  transposeA?: boolean;
  /** `b` is stored [..., N, K], as a linear layer's weight in PyTorch is. */
  transposeB?: boolean;
  /** [N], added to every row. */
  bias?: TensorLike;
  /** Applied last, inside the same kernel; a name as in a Hugging Face config. */
  activation?: ActivationName;
}

/**
 * activation(a · b + bias). With gradients wanted, the kernel also keeps what went into the activation; without, it does not.
 *
 * @param a f32 [..., M, K]
 * @param b f32 [K, N], or [..., K, N] with the leading axes of `a`; either may be one matrix that serves all batches. Or f16,
 *   read as f32: half the memory of a weight, which then has no gradient
 * @returns f32 [..., M, N]. Sums are f32 always; where an adapter has matrix units and b is f16, the units round `a` to half
 *   floats too, cut at ±65504
 * @throws SHAPE_MISMATCH, DTYPE_MISMATCH, INVALID_ARGUMENT
 */
export function matmul(a: TensorLike, b: TensorLike, { transposeA = false, transposeB = false, bias, activation = "linear" }: MatmulOptions = {}): Tensor {
  const inputs = [asTensor(a), asTensor(b), ...(bias === undefined ? [] : [bias])];
  return emit(matmulOp, inputs, { transposeA, transposeB, bias: bias !== undefined, activation: activationKind(activation) })[0]!;
}
