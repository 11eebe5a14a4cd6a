import type { State } from "../device/device.ts";
import { HeddleError } from "../errors.ts";
import { add } from "../ops/elementwise/arithmetic.ts";
import { broadcastTo } from "../ops/broadcast/op.ts";
import { Tensor } from "./tensor.ts";
import type { Node } from "./tensor.ts";
import { asTensor, constant } from "./trace.ts";
import { formatShape } from "./types.ts";

/**
 * Reverse-mode differentiation inside a trace: gradients of a scalar with respect to `targets`, as more ops of the same
 * kind. A target that the loss does not depend on gets zeros.
 *
 * @param loss a tensor of one element, f32
 */
export function gradients(loss: Tensor, targets: readonly (Tensor | State)[]): Tensor[] {
  if (loss.size !== 1) throw new HeddleError("SHAPE_MISMATCH", `[gradients] the loss must be one number; it has shape ${formatShape(loss.shape)}. Reduce it with mean() or sum() first`);
  if (loss.dtype !== "f32") throw new HeddleError("DTYPE_MISMATCH", `[gradients] the loss must be f32; it is ${loss.dtype}`);
  const wanted = targets.map((target) => asTensor(target));
  const nodes = between(loss, wanted);
  const byNode = new Map<Node, (Tensor | null)[]>();
  const accumulate = (tensor: Tensor, gradient: Tensor) => {
    const slots = byNode.get(tensor.node) ?? new Array<Tensor | null>(tensor.node.outputs.length).fill(null);
    const sum = slots[tensor.outputIndex];
    slots[tensor.outputIndex] = sum ? add(sum, gradient) : gradient;
    byNode.set(tensor.node, slots);
  };
  accumulate(loss, broadcastTo(constant(1), loss.shape));
  for (const node of nodes) {
    const outputGradients = byNode.get(node);
    if (!outputGradients || node.inputs.length === 0) continue;
    if (!node.op.vjp) throw new HeddleError("NOT_DIFFERENTIABLE", `[${node.op.name}] has no gradient; keep it off the path from the parameters to the loss`);
    const inputGradients = node.op.vjp({
      inputs: node.inputs,
      outputs: node.outputs.map((_, i) => new Tensor(node, i)),
      attributes: node.attributes,
      gradients: outputGradients,
    });
    node.inputs.forEach((input, i) => {
      const gradient = inputGradients[i];
      if (gradient && input.dtype === "f32") accumulate(input, gradient);
    });
  }
  return wanted.map((target) => byNode.get(target.node)?.[target.outputIndex] ?? broadcastTo(constant(0), target.shape));
}

/** Nodes on a path from a target to the loss, each before its inputs. */
function between(loss: Tensor, targets: readonly Tensor[]): Node[] {
  const reaches = new Map<Node, boolean>();
  const targetNodes = new Set(targets.map((target) => target.node));
  const order: Node[] = [];
  // Depth-first without recursion: a deep model is a deep graph.
  const stack: { node: Node; next: number }[] = [{ node: loss.node, next: 0 }];
  const entered = new Set<Node>([loss.node]);
  while (stack.length > 0) {
    const frame = stack[stack.length - 1]!;
    const input = frame.node.inputs[frame.next++];
    if (input) {
      if (!entered.has(input.node)) {
        entered.add(input.node);
        stack.push({ node: input.node, next: 0 });
      }
      continue;
    }
    stack.pop();
    const reach = targetNodes.has(frame.node) || frame.node.inputs.some((tensor) => reaches.get(tensor.node));
    reaches.set(frame.node, reach);
    if (reach) order.push(frame.node);
  }
  return order.reverse();
}
