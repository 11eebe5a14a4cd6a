import { readsOf } from "./inner-graph.ts";
import type { NodeInfo } from "./proto.ts";

/** Operators that read element i of an operand of the result's size just before they write element i of the result. */
const ELEMENTWISE = new Set(["Add", "Sub", "Mul", "Div", "Identity"]);

/** Operators whose result onnxruntime keeps in their operand's memory: who reads the one reads the other. */
const VIEWS = new Set(["Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity"]);

/**
 * Of states and the values that replace them, those whose new value may be written straight into the old one's memory:
 * every node that reads the old value, or a view of it, is needed for the new one, so it has run before, or is the writing
 * node itself and goes element by element. onnxruntime is not told that the two are one memory.
 *
 * @returns names of new values
 */
export function findOverwritable(nodes: readonly NodeInfo[], pairs: readonly { readonly old: string; readonly next: string }[]): Set<string> {
  const producer = new Map<string, NodeInfo>();
  const readers = new Map<string, NodeInfo[]>();
  for (const node of nodes) {
    for (const output of node.outputs) producer.set(output, node);
    for (const input of readsOf(node)) readers.set(input, [...(readers.get(input) ?? []), node]);
  }
  const result = new Set<string>();
  for (const { old, next } of pairs) {
    const writer = producer.get(next);
    if (!writer) continue;
    const waiting = new Set(readersOf(old, readers).filter((node) => node !== writer || !ELEMENTWISE.has(node.type)));
    // Walks back from the writer until every reader has been met.
    const seen = new Set<NodeInfo>();
    const stack = [writer];
    while (stack.length > 0 && waiting.size > 0) {
      for (const input of readsOf(stack.pop()!)) {
        const node = producer.get(input);
        if (!node || seen.has(node)) continue;
        seen.add(node);
        waiting.delete(node);
        stack.push(node);
      }
    }
    if (waiting.size === 0) result.add(next);
  }
  return result;
}

function readersOf(value: string, readers: ReadonlyMap<string, readonly NodeInfo[]>): NodeInfo[] {
  const direct = readers.get(value) ?? [];
  return [...direct, ...direct.filter(({ type, inputs }) => VIEWS.has(type) && inputs[0] === value).flatMap(({ outputs }) => readersOf(outputs[0]!, readers))];
}
