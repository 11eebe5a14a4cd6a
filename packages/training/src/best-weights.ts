import type { HostTensor, State } from "@heddle/kernels";
import { restoreParameters } from "./checkpoint/load.ts";
import { isBetter, type TrainingArguments } from "./arguments.ts";

/** The best weights of a run so far: in a checkpoint, or in host memory where the run has no folder. */
export class BestWeights {
  metric: number | null = null;
  /** After which they were found. */
  step: number | null = null;
  /** Evaluations since then. */
  worseSince = 0;
  private loss = Infinity;
  /** null: none yet, or in memory. */
  checkpoint: string | null = null;
  private inMemory: ReadonlyMap<State, HostTensor["data"]> | null = null;

  constructor(private readonly args: TrainingArguments) {}

  /** Whether an evaluation is the best so far; its weights are then to be remembered. Of equal ones, which few rows often give, it is the one of the least loss. */
  consider({ metric, loss = Infinity, step }: { metric: number; loss?: number; step: number }): boolean {
    const isBest = isBetter(this.args, metric, this.metric) || (metric === this.metric && loss < this.loss);
    if (isBest) [this.metric, this.loss, this.step, this.worseSince] = [metric, loss, step, 0];
    else this.worseSince++;
    return isBest;
  }

  /** Reads the weights back, one parameter in flight at a time. */
  async remember(parameters: ReadonlyMap<string, State>): Promise<void> {
    const copies = new Map<State, HostTensor["data"]>();
    for (const state of parameters.values()) copies.set(state, (await state.device.readStates([state]))[0]!);
    this.inMemory = copies;
  }

  rememberCheckpoint(path: string): void {
    this.checkpoint = path;
  }

  /** @returns whether there were any */
  async restore(parameters: ReadonlyMap<string, State>): Promise<boolean> {
    if (this.checkpoint !== null) await restoreParameters(this.checkpoint, parameters);
    else for (const [state, data] of this.inMemory ?? []) state.write(data);
    return this.metric !== null;
  }
}
