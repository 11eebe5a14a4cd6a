import { assign, compile, HeddleError, type CompiledFunction, type RunInputs, type State } from "@heddle/kernels";
import { splitInputs } from "../models/inputs.ts";
import type { Model } from "../models/model.ts";
import { throwIfAborted } from "./abort.ts";

interface KeptLayer {
  readonly keys: State;
  readonly values: State;
}

/** What a sequence-to-sequence model has read, on the device for as long as texts are written about it. */
export class EncodedSource {
  /** One for each layer of the decoder, f32 [rows, source, heads, headDim]. */
  layers: readonly KeptLayer[] = [];
  mask: State | undefined;
  private readonly compiled: CompiledFunction;
  private readonly states: State[] = [];

  private constructor(model: Model) {
    this.compiled = compile(model.device, "encode", (tensors) => {
      if (this.states.length > 0) throw new HeddleError("SHAPE_MISMATCH", "[encode] what is read next must have the shape of what was read first: pad it, or make another source");
      const { layers, mask } = model.encode(splitInputs(tensors).inputs);
      const keep = (name: string, tensor: (typeof layers)[number]["keys"]): State => {
        const state = model.device.createState(name, tensor.type);
        this.states.push(state);
        assign(state, tensor);
        return state;
      };
      this.layers = layers.map(({ keys, values }, i) => ({ keys: keep(`source.${i}.keys`, keys), values: keep(`source.${i}.values`, values) }));
      this.mask = mask && keep("source.mask", mask);
      return {};
    });
  }

  /**
   * Runs the half that reads.
   *
   * @param inputs `inputIds` i32 [rows, length] with `attentionMask`, or `inputFeatures` f32 [rows, mel bins, frames]
   * @throws INVALID_ARGUMENT for a model that has no such half
   */
  static async encode(model: Model, inputs: RunInputs, signal?: AbortSignal): Promise<EncodedSource> {
    const { architecture } = model;
    if (!architecture.halves) throw new HeddleError("INVALID_ARGUMENT", `[${architecture.name}] reads and writes one text: give it a prompt alone`);
    const source = new EncodedSource(model);
    try {
      await source.read(inputs, signal);
      return source;
    } catch (error) {
      source.dispose();
      throw error;
    }
  }

  /** Reads something else of the same shape in place of what was read before. Sessions about that begin anew: `DecodingSession.reset`. */
  async read(inputs: RunInputs, signal?: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    await this.compiled.run(inputs, { read: false });
  }

  dispose(): void {
    this.compiled.dispose();
    for (const state of this.states) state.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
