import type { NodeInfo } from "./proto.ts";

const bodiesOf = ({ attributes }: NodeInfo) => Object.values(attributes).flatMap((value) => (typeof value === "object" && "graph" in value ? [value.graph] : []));

/** All values that a node reads: its inputs, and those that a graph inside it takes from the one around. */
export function readsOf(node: NodeInfo): string[] {
  const captured = bodiesOf(node).flatMap(({ nodes, inputs, outputs }) => {
    const own = new Set([...inputs.map(({ name }) => name), ...nodes.flatMap((inner) => inner.outputs)]);
    return [...nodes.flatMap(readsOf), ...outputs.map(({ name }) => name)].filter((name) => !own.has(name));
  });
  return [...node.inputs, ...captured];
}

/** The node with other names for what it makes and reads, in a graph inside it too. */
export function renamed(node: NodeInfo, rename: (value: string) => string): NodeInfo {
  const attributes = Object.fromEntries(
    Object.entries(node.attributes).map(([name, value]) => [name, typeof value === "object" && "graph" in value ? { graph: { ...value.graph, nodes: value.graph.nodes.map((inner) => renamed(inner, rename)) } } : value]),
  );
  return { ...node, inputs: node.inputs.map(rename), outputs: node.outputs.map(rename), attributes };
}
