import type { State } from "../device/device.ts";
import type { Node, Tensor } from "./tensor.ts";

/**
 * A traced computation as data: nodes in execution order, what they read, what they leave behind. Devices turn it into
 * dispatches, the reference interpreter walks it, exporters translate it.
 */
export interface Program {
  readonly name: string;
  /** Live nodes only, each after its inputs. */
  readonly nodes: readonly Node[];
  readonly inputs: ReadonlyMap<string, Tensor>;
  /** States that the program reads. */
  readonly states: ReadonlyMap<State, Tensor>;
  /** States and the values that replace them when the run ends. */
  readonly updates: ReadonlyMap<State, Tensor>;
  readonly outputs: ReadonlyMap<string, Tensor>;
}

/** Every state that a program reads or replaces, each once. */
export function statesOf({ states, updates }: Program): State[] {
  return [...new Set([...states.keys(), ...updates.keys()])];
}
