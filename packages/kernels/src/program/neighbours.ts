import type { Step } from "./fusion.ts";
import { keyOf, ownerKey, viewOffset } from "./tensor.ts";
import { storageBytes } from "./types.ts";

/** A storage for several tensors, next to each other. */
export interface Neighbourhood {
  bytes: number;
}

export interface Neighbour {
  readonly neighbourhood: Neighbourhood;
  readonly offsetBytes: number;
}

/**
 * A neighbourhood lives from its first tensor's birth to its last one's death. Small ones, filled in order of birth, cost
 * little memory for it, and a dispatch that works through this much does not mind being one of several.
 */
const NEIGHBOURHOOD_BYTES = 16 * 1024 * 1024;

/** Finds a place next to each other for the tensors that ops want so: by the key of the node's output that owns the memory. */
export function findNeighbours(steps: readonly Step[], { alignment, maxBytes = Infinity }: { alignment: number; maxBytes?: number }): Map<string, Neighbour> {
  const births = new Map<string, { step: number; bytes: number }>();
  steps.forEach((step, i) => {
    const nodes = step.kind === "fused" ? step.nodes.slice(-1) : step.nodes;
    for (const node of nodes) {
      if (viewOffset(node) !== null) continue;
      const inPlace = node.op.inPlace?.(node.inputs.map(({ type }) => type)) ?? {};
      node.outputs.forEach((type, output) => {
        if (inPlace[output] === undefined) births.set(keyOf(node, output), { step: i, bytes: storageBytes(type) });
      });
    }
  });
  const neighbours = new Map<string, Neighbour>();
  for (const step of steps) {
    if (step.kind === "fused") continue;
    const wanted = step.nodes.flatMap((node) => [
      ...(node.op.adjacentInputs?.(node.inputs.map(({ type }) => type)) ?? []).map((i) => ownerKey(node.inputs[i]!)),
      ...(node.op.adjacentOutputs ? node.outputs.map((_, output) => keyOf(node, output)) : []),
    ]);
    const free = [...new Set(wanted)].filter((key) => births.has(key) && !neighbours.has(key));
    let neighbourhood: Neighbourhood | null = null;
    for (const key of free.sort((a, b) => births.get(a)!.step - births.get(b)!.step)) {
      const bytes = Math.ceil(births.get(key)!.bytes / alignment) * alignment;
      if (!neighbourhood || neighbourhood.bytes + bytes > Math.min(maxBytes, NEIGHBOURHOOD_BYTES)) neighbourhood = { bytes: 0 };
      neighbours.set(key, { neighbourhood, offsetBytes: neighbourhood.bytes });
      neighbourhood.bytes += bytes;
    }
  }
  return neighbours;
}
