import { add, assign, asTensor, broadcastTo, compile, constant, dropout, mul, type CompiledFunction, type Device, type HostTensor, type State, type Tensor } from "@heddle/kernels";
import type { ModelWeights } from "../checkpoint/index.ts";
import { inference, type ForwardMode } from "../nn/forward-mode.ts";
import { initialize } from "../nn/initialize.ts";
import { itemFeatureVectors, type ItemFeatureInputs, type ItemFeatureSizes } from "../nn/item-features.ts";
import { Scope, type ParameterSpec } from "../nn/scope.ts";
import { zeroParameters } from "./create.ts";
import { Model } from "./model.ts";
import { parametersUsed } from "./parameters.ts";

const ITEM_TABLE = "item_embeddings.weight";
const PREFIX = "item_features";

/** What a model has learnt about features of items: makes a vector of an item that it has never seen. */
export class ItemFeatureEncoder {
  private constructor(
    readonly device: Device,
    private readonly sizes: ItemFeatureSizes,
    readonly parameters: ReadonlyMap<string, State>,
  ) {}

  /** One that has learnt nothing yet, the same for the same seed. */
  static create(device: Device, sizes: ItemFeatureSizes, seed: number): ItemFeatureEncoder {
    const specs = specsOf(sizes);
    const parameters = zeroParameters(device, specs);
    for (const spec of specs) parameters.get(spec.name)!.write(initialize(spec, seed));
    return new ItemFeatureEncoder(device, sizes, parameters);
  }

  /** From a checkpoint. Errors: TENSOR_NOT_FOUND, SHAPE_MISMATCH, those of reading. */
  static async load(device: Device, sizes: ItemFeatureSizes, weights: ModelWeights): Promise<ItemFeatureEncoder> {
    const parameters = zeroParameters(device, specsOf(sizes));
    try {
      for await (const { name, data } of weights.stream({ names: parameters.keys() })) parameters.get(name)!.write(data);
    } catch (error) {
      for (const state of parameters.values()) state.dispose();
      throw error;
    }
    return new ItemFeatureEncoder(device, sizes, parameters);
  }

  /** Records the vectors of items, f32 [rows, hidden]: see `itemFeatureVectors`. */
  vectors(rows: number, inputs: ItemFeatureInputs): Tensor {
    const scope = new Scope(({ name }) => this.parameters.get(name)!);
    return itemFeatureVectors(scope.in(PREFIX), rows, inputs, this.sizes);
  }

  dispose(): void {
    for (const state of this.parameters.values()) state.dispose();
  }
}

function specsOf(sizes: ItemFeatureSizes): ParameterSpec[] {
  const pairs = { dtype: "i32", shape: [1] } as const;
  const types = { ...(sizes.numCategories > 0 && { pairRows: pairs, pairCategories: pairs }), ...(sizes.numValues > 0 && { values: { dtype: "f32", shape: [1, sizes.numValues] } as const }) };
  return parametersUsed(PREFIX, types, (scope, inputs) => itemFeatureVectors(scope.in(PREFIX), 1, inputs, sizes));
}

export interface ItemFeatureModelOptions {
  /** A row for each row of the table of items, by `ItemFeatureInputs`. */
  readonly features: { readonly [K in keyof ItemFeatureInputs]: HostTensor };
  /** How often an item's own embedding is left out of a step, in [0, 1). */
  readonly itemDropout: number;
}

/**
 * A model that recommends, in training, whose items are embeddings of their own and what their features say: it stands in for the
 * table of items of any family, where histories are read and where items are scored. In each step some items go by their features
 * alone (DropoutNet, Volkovs et al. 2017), as a new item will.
 *
 * It trains the parameters of `base` and of `encoder`, which stay the caller's. `bake` makes a plain model of the former.
 */
export class ItemFeatureModel extends Model {
  private readonly own: State;
  private readonly kept: State;
  private readonly features: ItemFeatureInputs;
  private readonly states: State[] = [];
  private readonly baking: CompiledFunction;
  private readonly restoring: CompiledFunction;
  private readonly itemDropout: number;

  constructor(
    base: Model,
    private readonly encoder: ItemFeatureEncoder,
    { features, itemDropout }: ItemFeatureModelOptions,
  ) {
    super(base.architecture, base.config, base.device, new Map([...base.parameters, ...encoder.parameters]));
    const { device } = base;
    this.itemDropout = itemDropout;
    this.own = base.parameters.get(ITEM_TABLE)!;
    const stateOf = (name: string, { shape, data }: HostTensor) => {
      const state = device.createState(name, { dtype: data instanceof Float32Array ? "f32" : "i32", shape }, data);
      this.states.push(state);
      return state;
    };
    this.features = Object.fromEntries(Object.entries(features).map(([name, tensor]) => [name, tensor && stateOf(`item features: ${name}`, tensor)]));
    this.kept = device.createState("own embeddings of items", this.own.type);
    this.states.push(this.kept);
    this.baking = compile(device, "bake-items", () => {
      assign(this.kept, asTensor(this.own));
      assign(this.own, this.itemTable(inference));
      return {};
    });
    this.restoring = compile(device, "restore-items", () => {
      assign(this.own, asTensor(this.kept));
      return {};
    });
  }

  /** Writes whole vectors over the own embeddings: `base` then is the plain model that recommends as this one does. */
  async bake(): Promise<void> {
    await this.baking.run({}, { read: false });
  }

  /** The own embeddings as they were before `bake`, to train on. */
  async restore(): Promise<void> {
    await this.restoring.run({}, { read: false });
  }

  /** Frees what training alone needs. */
  override dispose(): void {
    this.baking.dispose();
    this.restoring.dispose();
    for (const state of this.states) state.dispose();
  }

  protected override scopeOf(mode: ForwardMode): Scope {
    return super.scopeOf(mode).replacing(ITEM_TABLE, this.itemTable(mode));
  }

  /** f32 [rows, hidden]. */
  private itemTable({ dropoutKey }: ForwardMode): Tensor {
    const [rows] = this.own.type.shape as [number, number];
    const isKept = dropoutKey && this.itemDropout > 0 ? mul(dropout(broadcastTo(constant(1), [rows, 1]), this.itemDropout, dropoutKey), 1 - this.itemDropout) : undefined;
    return add(isKept ? mul(this.own, isKept) : this.own, this.encoder.vectors(rows, this.features));
  }
}
