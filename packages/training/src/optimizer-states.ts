import type { Device, State } from "@heddle/kernels";

interface Moments {
  readonly firstMoment: State;
  readonly secondMoment: State;
}

/** Everything on the device that training needs beside the parameters. */
export class OptimizerStates {
  /** As the parameters, in their order. */
  readonly moments: readonly Moments[];
  /** (moving average, its parameter); empty without averaging. */
  readonly averages: readonly (readonly [average: State, parameter: State])[];
  /** Running sums that a log reads and restarts. */
  readonly lossSum: State;
  readonly finiteSteps: State;
  /** Of the batches since the last optimizer step; empty without accumulation, and zero between steps. */
  readonly gradientSums: readonly State[];
  readonly batchLossSum: State;
  private weights: State | null = null;

  constructor(
    private readonly device: Device,
    private readonly parameters: readonly (readonly [string, State])[],
    { average, accumulate }: { average: boolean; accumulate: boolean },
  ) {
    const zero = (name: string) => device.createState(name, { dtype: "f32", shape: [] });
    const likeParameters = (prefix: string) => device.createStates(parameters.map(([name, { type }]) => ({ name: `${prefix}.${name}`, type })));
    const [firsts, seconds] = [likeParameters("exp_avg"), likeParameters("exp_avg_sq")];
    this.moments = firsts.map((firstMoment, i) => ({ firstMoment, secondMoment: seconds[i]! }));
    this.averages = average ? likeParameters("average").map((state, i) => [state, parameters[i]![1]] as const) : [];
    this.lossSum = zero("running.loss_sum");
    this.finiteSteps = zero("running.finite_steps");
    this.gradientSums = accumulate ? likeParameters("gradient_sum") : [];
    this.batchLossSum = zero("gradient_sum.loss");
  }

  /** The averages start as the weights are. */
  async startAverages(): Promise<void> {
    for (const [average, parameter] of this.averages) average.write((await this.device.readStates([parameter]))[0]!);
  }

  /** What a checkpoint keeps, by name. */
  get saved(): ReadonlyMap<string, State> {
    const states = [...this.moments.flatMap(({ firstMoment, secondMoment }) => [firstMoment, secondMoment]), ...this.averages.map(([average]) => average), this.lossSum, this.finiteSteps];
    return new Map(states.map((state) => [state.name, state]));
  }

  /** Class weights as a state, so that they are uploaded once. */
  classWeights(values: readonly number[]): State {
    this.weights ??= this.device.createState("class_weights", { dtype: "f32", shape: [values.length] }, Float32Array.from(values));
    return this.weights;
  }

  dispose(): void {
    const scratch = [...this.gradientSums, this.batchLossSum, ...(this.weights ? [this.weights] : [])];
    for (const state of [...this.saved.values(), ...scratch]) state.dispose();
  }
}
