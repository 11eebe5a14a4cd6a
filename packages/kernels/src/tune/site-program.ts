import type { State } from "../device/device.ts";
import type { AdapterProfile } from "../device/profile.ts";
import type { Design, Site } from "../program/design.ts";
import { plan, type Command } from "../program/plan.ts";
import type { Program } from "../program/program.ts";
import { Tensor, type Node } from "../program/tensor.ts";
import { stateOp } from "../program/trace.ts";

/**
 * A site's node as a program of its own, which reads `states`, one an input, and gives all outputs that have memory in the
 * program that the site is from.
 */
export function siteProgram({ op, inputs, attributes, outputs }: Site, states: readonly State[]): Program {
  const leaves = inputs.map((type, id): Node => ({ id, op: stateOp as unknown as Node["op"], inputs: [], attributes: { type }, outputs: [type] }));
  const tensors = leaves.map((leaf) => new Tensor(leaf, 0));
  const all = op.infer(inputs, attributes);
  const node: Node = { id: leaves.length, op, inputs: tensors, attributes, outputs: all };
  return {
    name: `tune/${op.name}`,
    nodes: [...leaves, node],
    inputs: new Map(),
    states: new Map(states.map((state, i) => [state, tensors[i]!])),
    updates: new Map(),
    outputs: new Map(outputs.map((_, i) => [`${i}`, new Tensor(node, i)])),
  };
}

/** What a design makes of a site. */
export function siteCommands(site: Site, adapter: AdapterProfile, design: Design): readonly Command[] {
  // The plan never runs: its states need no device.
  const states = site.inputs.map((type) => ({ type }) as State);
  return plan(siteProgram(site, states), adapter, undefined, { of: () => design }).commands;
}
