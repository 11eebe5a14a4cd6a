import type { Absorbed, AbsorbContext } from "../../program/op.ts";
import { sameShape } from "../../program/types.ts";
import type { ActivationKind } from "../activation/functions.ts";
import type { ProductAttributes } from "./op.ts";

/** A product ends with the residual that is added to it, or with the gate that it is multiplied with: activation(gate) · (x·W), as in GLU. */
export function absorbIntoProduct<A extends ProductAttributes>({ attributes, type, consumer, others, readOnce }: AbsorbContext<A>): Absorbed<A> | null {
  const [other] = others;
  if (attributes.extra || others.length !== 1 || !sameShape(other!.shape, type.shape) || !sameShape(consumer.outputs[0]!.shape, type.shape)) return null;
  if (consumer.op.name === "add") return { attributes: { ...attributes, extra: { kind: "residual" } }, inputs: [other!], gone: [] };
  const { node } = other!;
  // Any other factor is better left to the chain of element-wise ops that it may belong to.
  if (consumer.op.name !== "mul" || node.op.name !== "activation" || !readOnce(other!)) return null;
  const { kind } = node.attributes as { kind: ActivationKind };
  return { attributes: { ...attributes, extra: { kind: "gate", activation: kind } }, inputs: [node.inputs[0]!], gone: [node] };
}
