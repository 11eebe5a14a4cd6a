import { HeddleError } from "../../errors.ts";
import type { Op } from "../../program/op.ts";
import type { Tensor } from "../../program/tensor.ts";
import { asTensor, emitOne, nextRandomStream, type TensorLike } from "../../program/trace.ts";
import { formatShape } from "../../program/types.ts";
import { onnxDropoutMask } from "./random.onnx.ts";
import { dropoutRule, randomBits, RANDOM_BITS4_WGSL, RANDOM_BITS_WGSL } from "./random.ts";

interface DropoutAttributes {
  probability: number;
  stream: number;
}

const dropoutOp: Op<DropoutAttributes> = {
  name: "dropout",
  infer([x, key], { probability }) {
    if (!(probability >= 0 && probability < 1)) throw new HeddleError("INVALID_ARGUMENT", `[dropout] the probability of dropping must be in [0, 1), got ${probability}; 0.1 is usual`);
    if (x!.dtype !== "f32") throw new HeddleError("DTYPE_MISMATCH", `[dropout] wants f32, got ${x!.dtype}; convert with cast()`);
    if (key!.dtype !== "u32" || key!.shape.length !== 0) {
      throw new HeddleError("DTYPE_MISMATCH", `[dropout] the key must be a u32 scalar of shape [], got ${key!.dtype} ${formatShape(key!.shape)}; make one input of the program from the seed and the step`);
    }
    return [x!];
  },
  // The mask is a function of (index, key, stream): the gradient draws it again instead of keeping it.
  vjp: ({ inputs: [, key], gradients: [g], attributes }) => [emitOne(dropoutOp, [g!, key!], attributes), null],
  onnx: ({ graph, inputs: [x, key], attributes }) => [graph.op("Mul", [x!.value, onnxDropoutMask(graph, x!.dims, attributes, key!.value)])],
  elementwise: {
    functions: ({ width }): Record<string, string> => (width === 4 ? { randomBits4: RANDOM_BITS4_WGSL } : { randomBits: RANDOM_BITS_WGSL }),
    wgsl([x, key], { probability, stream }, spell) {
      const { dropBelow, keepScale } = dropoutRule(probability);
      const bits = `${spell.width === 4 ? "randomBits4" : "randomBits"}(${spell.index}, ${key}, ${spell.uniform(stream)})`;
      return `select(${spell.constant(0)}, ${x} * ${spell.constant(keepScale)}, ${bits} >= ${spell.unsigned}(${dropBelow}u))`;
    },
    reference([x, key], { probability, stream }, index) {
      const { dropBelow, keepScale } = dropoutRule(probability);
      return randomBits(index, key!, stream) >= dropBelow ? x! * keepScale : 0;
    },
  },
};

/**
 * Inverted dropout: each element is 0 with the given probability, else divided by 1 − probability, so that the expected
 * value stays. The probability is met to 2⁻¹⁶. The same key gives the same mask; every call in one trace has a stream of its own.
 *
 * @param x f32 of any shape
 * @param probability of dropping, in [0, 1); 0 returns `x` itself
 * @param key u32 scalar [], different each step: an input of the program
 * @throws INVALID_ARGUMENT, DTYPE_MISMATCH
 */
export function dropout(x: TensorLike, probability: number, key: TensorLike): Tensor {
  const tensor = asTensor(x);
  return probability === 0 ? tensor : emitOne(dropoutOp, [tensor, key], { probability, stream: nextRandomStream() });
}
