import { assign, compile, HeddleError, type RunInputs, type State } from "@heddle/kernels";
import { splitInputs } from "../models/inputs.ts";
import type { Model } from "../models/model.ts";
import type { KeysAndValues } from "../nn/cross-attention.ts";

/** What a sequence-to-sequence model has read, on the device for as long as texts are written about it. */
export class EncodedSource {
  private constructor(
    /** One for each layer of the decoder, f32 [rows, source, heads, headDim]. */
    readonly layers: readonly (KeysAndValues & { readonly keys: State; readonly values: State })[],
    readonly mask: State | undefined,
  ) {}

  get rows(): number {
    return this.layers[0]!.keys.type.shape[0]!;
  }

  /**
   * Runs the half that reads.
   *
   * @param inputs `inputIds` i32 [rows, length] with `attentionMask`, or `inputFeatures` f32 [rows, mel bins, frames]
   * @throws INVALID_ARGUMENT for a model that has no such half
   */
  static async encode(model: Model, inputs: RunInputs, signal?: AbortSignal): Promise<EncodedSource> {
    const { device, architecture } = model;
    if (!architecture.halves) throw new HeddleError("INVALID_ARGUMENT", `[${architecture.name}] reads and writes one text: give it a prompt alone`);
    const states: State[] = [];
    let source: EncodedSource | undefined;
    using program = compile(device, "encode", (tensors) => {
      const { layers, mask } = model.encode(splitInputs(tensors).inputs);
      const keep = (name: string, tensor: (typeof layers)[number]["keys"]): State => {
        const state = device.createState(name, tensor.type);
        states.push(state);
        assign(state, tensor);
        return state;
      };
      const kept = layers.map(({ keys, values }, i) => ({ keys: keep(`source.${i}.keys`, keys), values: keep(`source.${i}.values`, values) }));
      source = new EncodedSource(kept, mask && keep("source.mask", mask));
      return {};
    });
    try {
      await program.run(inputs, { read: false, ...(signal && { signal }) });
      // The plan goes now; its work must be done before.
      await device.finish();
      return source!;
    } catch (error) {
      for (const state of states) state.dispose();
      throw error;
    }
  }

  dispose(): void {
    for (const { keys, values } of this.layers) {
      keys.dispose();
      values.dispose();
    }
    this.mask?.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
