import type { HostTensor, State } from "@heddle/kernels";
import type { Model } from "@heddle/transformer";

/** Host copies of a model's parameters, by name. */
export type Weights = ReadonlyMap<string, HostTensor["data"]>;

export async function readWeights({ parameters, device }: Model): Promise<Weights> {
  const entries = [...parameters];
  const data = await device.readStates(entries.map(([, state]) => state));
  return new Map(entries.map(([name], i) => [name, data[i]!]));
}

/** All at once for whoever runs the model: a run sees either the weights before or those after. */
export function writeWeights({ parameters }: Model, weights: Weights): void {
  for (const [name, data] of weights) (parameters.get(name) as State).write(data);
}
