import { formatShape, HeddleError, sizeOf, type Device, type State } from "@heddle/kernels";
import type { ModelConfig } from "../config/index.ts";
import { inference, type ForwardMode } from "../nn/forward-mode.ts";
import { Scope } from "../nn/scope.ts";
import type { Architecture } from "./architectures.ts";
import type { ModelInputs } from "./inputs.ts";
import type { ModelOutputs } from "./outputs.ts";

/** A model on a device: its configuration, its parameters by Hugging Face's names, and its forward pass. */
export class Model {
  private readonly scope: Scope;

  constructor(
    readonly architecture: Architecture,
    readonly config: ModelConfig,
    readonly device: Device,
    readonly parameters: ReadonlyMap<string, State>,
  ) {
    this.scope = new Scope(({ name, shape }) => {
      const state = parameters.get(name);
      if (!state) throw new HeddleError("WEIGHTS_MISSING", `[${architecture.name}] has no parameter ${name} ${formatShape(shape)}`);
      return state;
    });
  }

  /** Records the forward pass; call it inside a function given to `compile`. Throws INPUT_MISSING. */
  forward(inputs: ModelInputs, mode: ForwardMode = inference): ModelOutputs {
    return this.architecture.forward(this.scope, this.config, inputs, mode);
  }

  get numParameters(): number {
    let total = 0;
    for (const state of this.parameters.values()) total += sizeOf(state.type.shape);
    return total;
  }

  /** Frees the parameters. Programs compiled over the model must be disposed of first. */
  dispose(): void {
    for (const state of this.parameters.values()) state.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
