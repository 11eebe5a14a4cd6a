import type { Program } from "./program.ts";
import { keyOf, Tensor, type Node } from "./tensor.ts";

/**
 * Joins nodes that read the same first input and otherwise only states, such as the products that give queries, keys and
 * values, where their op has another that does several at once (`Op.siblings`). They run where the first of them stood.
 */
export function joinSiblings(program: Program): Program {
  const families = new Map<string, Node[][]>();
  const familyOf = new Map<Node, Node[]>();
  for (const node of program.nodes) {
    const { siblings } = node.op;
    if (!siblings || !siblings.joins(node)) continue;
    const { node: source, outputIndex } = node.inputs[0]!;
    const key = `${node.op.name} ${keyOf(source, outputIndex)}`;
    const known = families.get(key) ?? [];
    let family = known.find(([first]) => siblings.alike(first!, node));
    if (!family) known.push((family = []));
    family.push(node);
    families.set(key, known);
    familyOf.set(node, family);
  }
  const replaced = new Map<Node, Tensor>();
  const current = (tensor: Tensor): Tensor => {
    const replacement = replaced.get(tensor.node);
    return replacement ? new Tensor(replacement.node, replacement.outputIndex + tensor.outputIndex) : tensor;
  };
  const nodes: Node[] = [];
  for (const original of program.nodes) {
    const family = familyOf.get(original);
    if (family && family.length > 1) {
      if (family[0] !== original) continue;
      const inputs = [current(original.inputs[0]!), ...family.flatMap((node) => node.inputs.slice(1))];
      const joined: Node = { id: original.id, op: original.op.siblings!.op, inputs, attributes: original.attributes, outputs: family.flatMap((node) => node.outputs) };
      family.forEach((node, i) => replaced.set(node, new Tensor(joined, i)));
      nodes.push(joined);
      continue;
    }
    const inputs = original.inputs.map(current);
    if (inputs.every((input, i) => input === original.inputs[i])) {
      nodes.push(original);
      continue;
    }
    const node = { ...original, inputs };
    replaced.set(original, new Tensor(node, 0));
    nodes.push(node);
  }
  return {
    ...program,
    nodes,
    outputs: new Map([...program.outputs].map(([name, tensor]) => [name, current(tensor)])),
    updates: new Map([...program.updates].map(([state, tensor]) => [state, current(tensor)])),
  };
}
