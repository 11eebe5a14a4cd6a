import type { HostTensor, State } from "@heddle/kernels";
import { restoreParameters } from "./checkpoint/load.ts";
import { isBetter, type TrainingArguments } from "./arguments.ts";

/** The best weights of a run so far: in a checkpoint, or in host memory where the run has no folder. */
export class BestWeights {
  metric: number | null = null;
  /** null: none yet, or in memory. */
  checkpoint: string | null = null;
  private inMemory: ReadonlyMap<State, HostTensor["data"]> | null = null;

  constructor(private readonly args: TrainingArguments) {}

  beats(candidate: number): boolean {
    return isBetter(this.args, candidate, this.metric);
  }

  /** Reads the weights back, one parameter in flight at a time. */
  async remember(metric: number, parameters: ReadonlyMap<string, State>): Promise<void> {
    const copies = new Map<State, HostTensor["data"]>();
    for (const state of parameters.values()) copies.set(state, (await state.device.readStates([state]))[0]!);
    this.metric = metric;
    this.inMemory = copies;
  }

  rememberCheckpoint(metric: number, path: string): void {
    this.metric = metric;
    this.checkpoint = path;
  }

  /** @returns whether there were any */
  async restore(parameters: ReadonlyMap<string, State>): Promise<boolean> {
    if (this.checkpoint !== null) await restoreParameters(this.checkpoint, parameters);
    else for (const [state, data] of this.inMemory ?? []) state.write(data);
    return this.metric !== null;
  }
}
