import type { Op } from "./op.ts";
import type { Program } from "./program.ts";
import type { Node, Tensor } from "./tensor.ts";
import { sameShape } from "./types.ts";

/** A unit of execution: ops with kernels of their own, or a chain of element-wise ops in one generated kernel. */
export type Step = OpStep | FusedStep;

export interface OpStep {
  readonly kind: "op";
  /** Several only where their op lowers them together: none reads another's result. */
  readonly nodes: readonly [Node, ...Node[]];
}

export interface FusedStep {
  readonly kind: "fused";
  /** In order; the last one's output is the step's only result. */
  readonly nodes: readonly Node[];
  /** Tensors from outside, without inlined constants. */
  readonly inputs: readonly Tensor[];
}

export const inputsOf = (step: Step): readonly Tensor[] => (step.kind === "fused" ? step.inputs : step.nodes.flatMap((node) => node.inputs));
export const isConstant = (node: Node): boolean => node.op.name === "constant";
const isLeaf = (node: Node): boolean => node.op.name === "input" || node.op.name === "state" || node.op.name === "literal";

/**
 * Groups element-wise nodes: one joins its consumers' kernel when all of them sit in the same group, iterate over the
 * same shape, and the group still binds few enough buffers. Each group then reads and writes memory once. Nodes whose op
 * lowers many at once share a step where the last of them stands.
 *
 * @param maxInputs storage buffers that one kernel may read
 */
export function fuse(program: Program, maxInputs: number): Step[] {
  const consumers = new Map<Node, Node[]>();
  for (const node of program.nodes) for (const input of node.inputs) consumers.set(input.node, [...(consumers.get(input.node) ?? []), node]);
  const kept = new Set([...program.outputs.values(), ...program.updates.values()].map((tensor) => tensor.node));
  const groups = new Map<Node, Node[]>();
  const position = new Map(program.nodes.map((node, i) => [node, i]));
  for (const node of [...program.nodes].reverse()) {
    if (!node.op.elementwise || isConstant(node)) continue;
    const users = consumers.get(node) ?? [];
    const group = users[0] && groups.get(users[0]);
    const joins =
      group !== undefined &&
      !kept.has(node) &&
      users.every((user) => groups.get(user) === group) &&
      sameShape(node.outputs[0]!.shape, group[0]!.outputs[0]!.shape) &&
      externalInputs([...group, node]).length <= maxInputs;
    if (joins) {
      group.push(node);
      groups.set(node, group);
    } else {
      groups.set(node, [node]);
    }
  }
  const together = joinedNodes(program);
  const steps: Step[] = [];
  for (const node of program.nodes) {
    if (isLeaf(node)) continue;
    const joined = together.get(node);
    const group = groups.get(node);
    if (isConstant(node)) {
      // Fused kernels spell constants as literals; only other ops need one in memory.
      if (kept.has(node) || consumers.get(node)?.some((user) => !user.op.elementwise)) steps.push({ kind: "fused", nodes: [node], inputs: [] });
    } else if (joined) {
      if (joined.at(-1) === node) steps.push({ kind: "op", nodes: joined });
    } else if (!group) {
      steps.push({ kind: "op", nodes: [node] });
    } else if (group[0] === node) {
      const nodes = group.toSorted((a, b) => position.get(a)! - position.get(b)!);
      steps.push({ kind: "fused", nodes, inputs: externalInputs(nodes) });
    }
  }
  return steps;
}

/** By node: all that run in its step. A node that reads the result of one ends the list, as nothing may run before what it reads. */
function joinedNodes(program: Program): Map<Node, [Node, ...Node[]]> {
  const joined = new Map<Node, [Node, ...Node[]]>();
  const open = new Map<Op, [Node, ...Node[]]>();
  for (const node of program.nodes) {
    for (const input of node.inputs) {
      const { op } = input.node;
      if (open.get(op) === joined.get(input.node)) open.delete(op);
    }
    if (!node.op.lowerTogether) continue;
    const nodes = open.get(node.op);
    if (nodes) nodes.push(node);
    else open.set(node.op, [node]);
    joined.set(node, open.get(node.op)!);
  }
  return joined;
}

function externalInputs(nodes: readonly Node[]): Tensor[] {
  const inside = new Set(nodes);
  const found = new Map<string, Tensor>();
  for (const node of nodes) {
    for (const input of node.inputs) {
      if (!inside.has(input.node) && !isConstant(input.node)) found.set(`${input.node.id}.${input.outputIndex}`, input);
    }
  }
  return [...found.values()];
}
