import type { Program } from "./program.ts";
import { Tensor, type Node } from "./tensor.ts";

/**
 * Joins pairs of nodes that one kernel can do: an op may take over the element-wise node that alone reads its result
 * (`Op.absorb`), as a product does with the residual added to it. After gradients were taken, before lowering.
 */
export function rewrite(program: Program): Program {
  const readers = new Map<Node, number>();
  const count = (tensor: Tensor) => readers.set(tensor.node, (readers.get(tensor.node) ?? 0) + 1);
  for (const node of program.nodes) node.inputs.forEach(count);
  for (const tensor of [...program.outputs.values(), ...program.updates.values()]) count(tensor);
  const readOnce = (tensor: Tensor) => tensor.outputIndex === 0 && readers.get(tensor.node) === 1;

  const replaced = new Map<Node, Node>();
  const absorbed = new Set<Node>();
  const current = (tensor: Tensor): Tensor => {
    const node = replaced.get(tensor.node);
    return node ? new Tensor(node, tensor.outputIndex) : tensor;
  };
  const nodes = program.nodes.map((original) => {
    const inputs = original.inputs.map(current);
    const node = inputs.some((input, i) => input !== original.inputs[i]) ? { ...original, inputs } : original;
    const joined = join(node, readOnce);
    if (joined) for (const gone of joined.gone) absorbed.add(gone);
    const result = joined?.node ?? node;
    if (result !== original) replaced.set(original, result);
    // What was read once is still read once under its new node.
    if (result !== original) readers.set(result, readers.get(original) ?? 0);
    return result;
  });
  return {
    ...program,
    nodes: nodes.filter((node) => !absorbed.has(node)),
    outputs: new Map([...program.outputs].map(([name, tensor]) => [name, current(tensor)])),
    updates: new Map([...program.updates].map(([state, tensor]) => [state, current(tensor)])),
  };
}

/** `node` and one of its producers as one node in `node`'s place, under its id; null where no producer takes it. */
function join(node: Node, readOnce: (tensor: Tensor) => boolean): { node: Node; gone: Node[] } | null {
  if (!node.op.elementwise) return null;
  for (const [position, input] of node.inputs.entries()) {
    const producer = input.node;
    if (!producer.op.absorb || !readOnce(input)) continue;
    const others = node.inputs.filter((_, i) => i !== position);
    const taken = producer.op.absorb({ attributes: producer.attributes, type: input.type, consumer: node, others, readOnce });
    if (!taken) continue;
    const inputs = [...producer.inputs, ...taken.inputs];
    // Under the consumer's id: whoever read the consumer reads this.
    return { node: { id: node.id, op: producer.op, inputs, attributes: taken.attributes, outputs: producer.outputs }, gone: [producer, ...taken.gone] };
  }
  return null;
}
