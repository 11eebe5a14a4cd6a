import { asTensor, compile, formatShape, HeddleError, ReferenceDevice, slice, type CompiledFunction, type Device, type HostTensor, type RunInputs, type State, type TensorLike } from "@heddle/kernels";
import type { ModelConfig } from "../config/index.ts";
import { inference } from "../nn/forward-mode.ts";
import { Scope, type ParameterSpec } from "../nn/scope.ts";
import { splitInputs } from "./inputs.ts";
import type { Model } from "./model.ts";
import { parametersOf } from "./parameters.ts";

const TOKENS = 4;
/** Words that the check knows: of tables as long as the vocabulary it reads the first rows alone. */
const WORDS = 8;
/** Multiplications that the interpreter may be asked for: a few tenths of a second; the first layer of BERT base has 28 million. */
const MOST_MULTIPLICATIONS = 36_000_000;
/** Of the largest number: rounding stays an order below it, whatever the order of sums; a wrong kernel is far above. */
const TOLERANCE = 5e-3;

/** A model cut down to what can be compared quickly: few words, and the first layers. */
type Cut = ModelConfig & { readonly numHiddenLayers: number };

/**
 * Runs a few tokens through the model on its device and through the reference interpreter, and compares hidden states and scores:
 * all layers where that is quick, else the first one. Models whose first layer is too large for that, and those that read images,
 * sounds or two texts, or hold weights in fewer bits than f32 has, are not checked, nor is the reference device itself.
 *
 * @returns how many layers were compared
 * @throws SELF_CHECK_FAILED with the first layer that differs
 */
export async function selfCheck(model: Model, signal?: AbortSignal): Promise<number> {
  const { architecture, config, device } = model;
  if (device.kind === "reference" || architecture.halves || !("numHiddenLayers" in config) || !("vocabSize" in config)) return 0;
  if (model.quantized.size > 0 || [...model.parameters.values()].some(({ type }) => type.dtype !== "f32")) return 0;
  const names = Object.keys(architecture.smallestInputs(config));
  if (names.some((name) => !["inputIds", "attentionMask", "tokenTypeIds"].includes(name))) return 0;
  const cut = (layers: number): Cut => ({ ...config, vocabSize: Math.min(WORDS, config.vocabSize), numHiddenLayers: layers }) as Cut;
  const layers = [config.numHiddenLayers, 1].find((count) => costOf(parametersOf(architecture, cut(count))) <= MOST_MULTIPLICATIONS);
  if (layers === undefined) return 0;
  const length = Math.min(TOKENS, config.maxPositionEmbeddings);
  const inputs = Object.fromEntries(names.map((name) => [name, { shape: [1, length], data: Int32Array.from({ length }, (_, i) => (name === "inputIds" ? (i + TOKENS) % Math.min(WORDS, config.vocabSize) : name === "attentionMask" ? 1 : 0)) }]));
  using compared = await Comparison.of(model, parametersOf(architecture, cut(layers)), inputs);
  const last = await compared.differing(cut(layers), signal);
  if (!last) return layers;
  // Something is wrong: which layer is it?
  for (let count = 0; count < layers; count++) {
    const found = await compared.differing(cut(count), signal);
    if (found) throw failed(model, count === 0 ? "the embeddings" : layerName(model, cut(count - 1), cut(count)), found);
  }
  throw failed(model, last.output === "lastHiddenState" ? layerName(model, cut(layers - 1), cut(layers)) : `the head (${last.output})`, last);
}

/** Each parameter of a layer multiplies every token. */
const costOf = (specs: readonly ParameterSpec[]): number => TOKENS * specs.reduce((sum, { shape }) => sum + (shape.length > 1 ? shape.reduce((product, extent) => product * extent, 1) : 0), 0);

interface Difference {
  readonly output: string;
  readonly found: number;
  readonly wanted: number;
  readonly largest: number;
}

/** The same weights on both devices. */
class Comparison {
  private constructor(
    private readonly model: Model,
    private readonly reference: ReferenceDevice,
    private readonly weights: ReadonlyMap<string, State>,
    private readonly inputs: RunInputs,
  ) {}

  /** Brings the weights that the check reads to the reference device. */
  static async of(model: Model, specs: readonly ParameterSpec[], inputs: RunInputs): Promise<Comparison> {
    const reference = new ReferenceDevice();
    const isWhole = (spec: ParameterSpec) => formatShape(model.parameters.get(spec.name)!.type.shape) === formatShape(spec.shape);
    const whole = specs.filter(isWhole);
    const data = new Map<string, HostTensor["data"]>();
    (await model.device.readStates(whole.map(({ name }) => model.parameters.get(name)!))).forEach((values, i) => data.set(whole[i]!.name, values));
    const parts = specs.filter((spec) => !isWhole(spec));
    if (parts.length > 0) {
      using read = compile(model.device, "self-check, weights", () => Object.fromEntries(parts.map((spec) => [spec.name, asTensor(firstRows(model.parameters.get(spec.name)!, spec))])));
      for (const [name, values] of Object.entries(await read.run({}))) data.set(name, values.data);
    }
    const weights = specs.map(({ name, shape }) => [name, reference.createState(name, { dtype: "f32", shape }, data.get(name)!)] as const);
    return new Comparison(model, reference, new Map(weights), inputs);
  }

  /** Where the devices' outputs differ most, if they do. */
  async differing(config: Cut, signal?: AbortSignal): Promise<Difference | undefined> {
    const { device, parameters } = this.model;
    using here = this.compiled(device, config, (spec) => firstRows(parameters.get(spec.name)!, spec));
    using there = this.compiled(this.reference, config, ({ name }) => this.weights.get(name)!);
    const [found, wanted] = [await here.run(this.inputs, { ...(signal && { signal }) }), await there.run(this.inputs)];
    for (const [output, { data: numbers }] of Object.entries(wanted)) {
      const data = numbers as Float32Array;
      const largest = data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const wrong = data.findIndex((value, i) => !(Math.abs(value - found[output]!.data[i]!) <= TOLERANCE * largest + 1e-6));
      if (wrong >= 0) return { output, found: found[output]!.data[wrong]!, wanted: data[wrong]!, largest };
    }
    return undefined;
  }

  [Symbol.dispose](): void {
    for (const state of this.weights.values()) state.dispose();
    this.reference.dispose();
  }

  private compiled(device: Device, config: Cut, source: (spec: ParameterSpec) => TensorLike): CompiledFunction {
    const { architecture } = this.model;
    return compile(device, "self-check", (tensors) => {
      const { lastHiddenState, logits } = architecture.forward(new Scope(source), config, splitInputs(tensors).inputs, inference);
      return { lastHiddenState, ...(logits && { logits }) };
    });
  }
}

/** A parameter, or as much of it as the cut model has. */
function firstRows(state: State, { shape }: ParameterSpec): TensorLike {
  return shape.reduce<TensorLike>((tensor, extent, axis) => (state.type.shape[axis] === extent ? tensor : slice(tensor, { axis, begin: 0, end: extent })), state);
}

/** What the parameters have in common that the longer model has and the shorter has not; their number where layers share them. */
function layerName({ architecture }: Model, shorter: Cut, longer: Cut): string {
  const before = new Set(parametersOf(architecture, shorter).map(({ name }) => name));
  const added = parametersOf(architecture, longer).find(({ name }) => !before.has(name))?.name;
  const prefix = added && /^.*?\.\d+(?=\.)/.exec(added)?.[0];
  return `layer ${longer.numHiddenLayers - 1}${prefix ? ` (${prefix})` : ""}`;
}

const failed = ({ architecture, device }: Model, where: string, { output, found, wanted, largest }: Difference): HeddleError =>
  new HeddleError("SELF_CHECK_FAILED", `[${architecture.name}] ${where} comes out wrong on ${device.description}: ${found} in ${output} where the reference has ${wanted}, of numbers up to ${largest.toPrecision(3)}. Update the driver, or choose another device ("cpu"); selfCheck: false takes what comes`);
