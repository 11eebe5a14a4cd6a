import { HeddleError } from "../../errors.ts";
import { defineOp, type LowerContext } from "../../program/op.ts";
import type { Tensor } from "../../program/tensor.ts";
import { asTensor, emitOne, type TensorLike } from "../../program/trace.ts";
import { formatShape, normalizeAxis } from "../../program/types.ts";
import type { NdArray, ReferenceContext } from "../../reference/ndarray.ts";
import { joinDispatch, MAX_INPUTS, viewAxis } from "./copy.wgsl.ts";
import { slice } from "./slice.ts";

interface ConcatAttributes {
  axis: number;
}

const concatOp = defineOp<ConcatAttributes>({
  name: "concat",
  infer(inputs, { axis }) {
    const [first] = inputs;
    for (const { dtype, shape } of inputs) {
      if (dtype !== first!.dtype) throw new HeddleError("DTYPE_MISMATCH", `[concat] wants one dtype, got ${inputs.map((input) => input.dtype).join(", ")}; convert with cast()`);
      if (shape.length !== first!.shape.length || shape.some((extent, i) => i !== axis && extent !== first!.shape[i])) {
        throw new HeddleError("SHAPE_MISMATCH", `[concat] shapes must agree on every axis but ${axis}, got ${inputs.map((input) => formatShape(input.shape)).join(" and ")}`);
      }
    }
    const total = inputs.reduce((sum, { shape }) => sum + shape[axis]!, 0);
    return [{ dtype: first!.dtype, shape: first!.shape.map((extent, i) => (i === axis ? total : extent)) }];
  },
  vjp({ inputs, gradients: [g], attributes: { axis } }) {
    let begin = 0;
    return inputs.map((input) => {
      const end = begin + input.shape[axis]!;
      const part = slice(g!, { axis, begin, end });
      begin = end;
      return part;
    });
  },
  reference,
  lower,
  onnx: ({ graph, inputs, attributes: { axis } }) => [graph.op("Concat", inputs.map(({ value }) => value), { axis })],
});

function reference(inputs: readonly NdArray[], { axis }: ConcatAttributes, context: ReferenceContext): NdArray[] {
  const total = inputs.reduce((sum, { shape }) => sum + shape[axis]!, 0);
  const y = context.zeros(inputs[0]!.dtype, inputs[0]!.shape.map((extent, i) => (i === axis ? total : extent)));
  const { outer, inner } = viewAxis(y.shape, axis);
  let begin = 0;
  for (const x of inputs) {
    const row = x.shape[axis]! * inner;
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < row; i++) y.data[o * total * inner + begin * inner + i] = x.data[o * row + i]!;
    }
    begin += x.shape[axis]!;
  }
  return [y];
}

function lower({ attributes: { axis }, inputs, outputs: [y], dispatch }: LowerContext<ConcatAttributes>): void {
  let begin = 0;
  for (let i = 0; i < inputs.length; i += MAX_INPUTS) {
    const group = inputs.slice(i, i + MAX_INPUTS);
    dispatch(joinDispatch(group, y!, axis, begin));
    begin += group.reduce((sum, { type }) => sum + type.shape[axis]!, 0);
  }
}

/**
 * Tensors side by side along one axis, as torch.cat. Any number of them; every seven are one dispatch.
 *
 * @throws SHAPE_MISMATCH, DTYPE_MISMATCH, INVALID_ARGUMENT
 */
export function concat(tensors: readonly TensorLike[], axis: number): Tensor {
  const inputs = tensors.map((tensor) => asTensor(tensor));
  if (inputs.length === 0) throw new HeddleError("INVALID_ARGUMENT", "[concat] wants at least one tensor");
  const along = normalizeAxis(axis, inputs[0]!.rank, "concat");
  return inputs.length === 1 ? inputs[0]! : emitOne(concatOp, inputs, { axis: along });
}
