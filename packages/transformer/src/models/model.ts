import { asTensor, formatShape, HeddleError, sizeOf, type Device, type QuantizedState, type State, type Tensor } from "@heddle/kernels";
import type { PushedCommit, PushOptions } from "../checkpoint/index.ts";
import type { ModelConfig } from "../config/index.ts";
import { inference, type ForwardMode } from "../nn/forward-mode.ts";
import { Scope } from "../nn/scope.ts";
import type { Architecture } from "./architectures.ts";
import { pushModel, saveModel } from "./save.ts";
import type { ModelInputs } from "./inputs.ts";
import type { CrossSource } from "../nn/cross-attention.ts";
import type { KeyValueCache } from "../nn/key-value-cache.ts";
import type { Decoder, ModelOutputs } from "./outputs.ts";

/** A model on a device: its configuration, its parameters by Hugging Face's names, and its forward pass. */
export class Model {
  /** Called once the parameters are freed: what was opened for this model alone goes with it. */
  onDispose: () => void = () => undefined;
  private readonly scope: Scope;

  constructor(
    readonly architecture: Architecture,
    readonly config: ModelConfig,
    readonly device: Device,
    /** Those in floats, which can be trained. */
    readonly parameters: ReadonlyMap<string, State>,
    /** Those that are held in blocks of few bits: frozen. */
    readonly quantized: ReadonlyMap<string, QuantizedState> = new Map(),
  ) {
    this.scope = new Scope(({ name, shape }) => {
      const state = parameters.get(name) ?? quantized.get(name);
      if (!state) throw new HeddleError("WEIGHTS_MISSING", `[${architecture.name}] has no parameter ${name} ${formatShape(shape)}`);
      return state;
    });
  }

  /** Records the forward pass; call it inside a function given to `compile`. Throws INPUT_MISSING. */
  forward(inputs: ModelInputs, mode: ForwardMode = inference): ModelOutputs {
    return this.architecture.forward(this.scopeOf(mode), this.config, inputs, mode);
  }

  /** Where a pass finds its parameters. */
  protected scopeOf(_mode: ForwardMode): Scope {
    return this.scope;
  }

  /** Records the half that reads: what each layer of the other half sees of it. Throws INPUT_MISSING, INVALID_ARGUMENT. */
  encode(inputs: ModelInputs): { readonly layers: readonly { readonly keys: Tensor; readonly values: Tensor }[]; readonly mask: Tensor | undefined } {
    const { halves, name } = this.architecture;
    if (!halves) throw cannotGenerate(name);
    const { lastHiddenState } = halves.encode(this.base, this.config, inputs, inference);
    const layers = halves.crossKeysAndValues(this.base, this.config, lastHiddenState).map(({ keys, values }) => ({ keys: asTensor(keys), values: asTensor(values) }));
    return { layers, mask: inputs.attentionMask };
  }

  /**
   * Records the pass of what writes over new tokens, i32 [rows, length], after those that the cache holds. Throws INVALID_ARGUMENT for
   * a model that writes no text.
   *
   * @param source what was read, for a model with a half that reads
   */
  decode(inputIds: Tensor, cache: KeyValueCache, source?: CrossSource): Decoder {
    const { halves, name } = this.architecture;
    if (halves) {
      if (!source) throw new HeddleError("INPUT_MISSING", `[${name}] writes about something that it reads first: give it a source`);
      return halves.scores(this.scope, this.config, halves.decode(this.base, this.config, inputIds, source, inference, cache).lastHiddenState);
    }
    const { decoder } = this.forward({ inputIds, cache });
    if (!decoder) throw cannotGenerate(name);
    return decoder;
  }

  /** What a text's keys and values take for each token. Throws INVALID_ARGUMENT for a model that writes no text. */
  cacheShape(): { readonly layers: number; readonly heads: number; readonly headDim: number } {
    const { config, architecture } = this;
    if (architecture.halves && "decoderStartTokenId" in config) return { layers: config.numHiddenLayers, heads: config.numAttentionHeads, headDim: config.headDim };
    if (architecture.head === "causal-lm" && "numKeyValueHeads" in config) return { layers: config.numHiddenLayers, heads: config.numKeyValueHeads, headDim: config.headDim };
    throw cannotGenerate(architecture.name);
  }

  /** Where the bare model's parameters are. */
  private get base(): Scope {
    const { basePrefix } = this.architecture;
    return basePrefix === "" ? this.scope : this.scope.in(basePrefix.slice(0, -1));
  }

  get numParameters(): number {
    let total = 0;
    for (const state of this.parameters.values()) total += sizeOf(state.type.shape);
    for (const { shape } of this.quantized.values()) total += sizeOf(shape);
    return total;
  }

  /** Writes a folder that Python's transformers loads, all weights in floats: see `saveModel`. */
  savePretrained(folder: string, extra: Parameters<typeof saveModel>[2] = {}, options: Parameters<typeof saveModel>[3] = {}): Promise<void> {
    return saveModel(this, folder, extra, options);
  }

  /** Writes the same to a repository of the Hugging Face Hub, as one commit: see `pushModelFolder`. */
  pushToHub(repository: string, options: PushOptions = {}, extra: Parameters<typeof saveModel>[2] = {}): Promise<PushedCommit> {
    return pushModel(this, repository, extra, options);
  }

  /** Frees the parameters. Programs compiled over the model must be disposed of first. */
  dispose(): void {
    for (const state of [...this.parameters.values(), ...this.quantized.values()]) state.dispose();
    this.onDispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

const cannotGenerate = (name: string) => new HeddleError("INVALID_ARGUMENT", `[${name}] writes no text: load the checkpoint with head "causal-lm", or one of a family that generates`);
