import type { OnnxContext, OnnxOperand } from "../../onnx/context.ts";
import type { Value } from "../../onnx/graph.ts";
import { onnxCrossEntropy, onnxCrossEntropyGradient } from "../crossentropy/op.onnx.ts";
import { onnxMatmul } from "../matmul/op.onnx.ts";
import type { LinearCrossEntropyAttributes } from "./op.ts";

/** The logits as one tensor, as other runtimes know them. */
export function onnxLinearCrossEntropy(context: OnnxContext<LinearCrossEntropyAttributes>): Value[] {
  const { graph, attributes, inputs: [hidden, weight, labels, bias] } = context;
  const form = { transposeA: false, transposeB: true, bias: attributes.bias, activation: "identity" } as const;
  const [value] = onnxMatmul({ graph, attributes: form, inputs: [hidden!, weight!, ...(bias ? [bias] : [])], outputs: [] }) as [Value];
  const logits: OnnxOperand = { value, dtype: "f32", dims: [...hidden!.dims.slice(0, -1), weight!.dims[0]!], content: undefined, kept: () => undefined };
  return onnxCrossEntropy({ ...context, inputs: [logits, labels!] });
}

export function onnxLinearCrossEntropyGradient(context: OnnxContext<LinearCrossEntropyAttributes>): Value[] {
  const { graph, attributes, inputs: [hidden, weight] } = context;
  // Its own inputs from the labels on are those of cross-entropy's gradient, which takes no class weights here.
  const [dLogits] = onnxCrossEntropyGradient({ ...context, inputs: context.inputs.slice(1) }) as [Value];
  const asRows = (x: Value) => graph.op("Flatten", [x], { axis: hidden!.dims.length - 1 });
  const dHidden = graph.op("MatMul", [dLogits, weight!.dtype === "f16" ? graph.cast(weight!.value, "f32") : weight!.value]);
  const dWeight = graph.matmul(asRows(dLogits), asRows(hidden!.value), { transposeA: true });
  if (!attributes.bias) return [dHidden, dWeight];
  return [dHidden, graph.op("ReduceSum", [asRows(dLogits), graph.ints([0])], { keepdims: 0 }), dWeight];
}
