import { compile, formatShape, HeddleError, partTypes, ReferenceDevice, sizeOf, toFloat16, type CompiledFunction, type HostTensor, type RunInputs, type State, type TensorType } from "@heddle/kernels";
import type { ModelConfig } from "../config/index.ts";
import { inference } from "../nn/forward-mode.ts";
import { Scope, type ParameterSource, type ParameterSpec } from "../nn/scope.ts";
import { splitInputs } from "./inputs.ts";
import type { Model } from "./model.ts";
import { parametersOf } from "./parameters.ts";

const TOKENS = 4;
/** Words that the check knows: tables as long as the vocabulary are replaced by small ones. */
const WORDS = 8;
/** Places of a sound, and patches of an image along its longer side. */
const PLACES = 2;
/** Multiplications that the interpreter may be asked for: a few tenths of a second; the first layer of BERT base has 28 million. */
const MOST_MULTIPLICATIONS = 36_000_000;
/** Of the largest number: rounding stays an order below it, whatever the order of sums; a wrong kernel is far above. */
const TOLERANCE = 5e-3;

/** A model cut down to what can be compared quickly: few words, small images, short sounds, and the first layers. */
type Cut = ModelConfig & { readonly numHiddenLayers: number };

/**
 * Runs a few tokens, patches or frames through the model on its device and through the reference interpreter, and compares hidden states
 * and scores: all layers where that is quick, else the first one, of each half where there are two. Weights are taken as the device
 * holds them, also those in few bits. Models whose first layer is too large for that are not checked, nor are those that read texts and
 * images at once, nor is the reference device itself.
 *
 * @returns how many layers were compared
 * @throws SELF_CHECK_FAILED with the first layer that differs
 */
export async function selfCheck(model: Model, signal?: AbortSignal): Promise<number> {
  const { architecture, config, device } = model;
  if (device.kind === "reference" || !("numHiddenLayers" in config)) return 0;
  const cut = (layers: number): Cut => cutDown(config, layers);
  const layers = [config.numHiddenLayers, 1].find((count) => costOf(parametersOf(architecture, cut(count))) <= MOST_MULTIPLICATIONS);
  if (layers === undefined) return 0;
  const inputs = Object.fromEntries(Object.entries(architecture.smallestInputs(cut(layers))).map(([name, type]) => [name, inputOf(name, type, config)]));
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

function cutDown(config: ModelConfig & { readonly numHiddenLayers: number }, layers: number): Cut {
  const { numHiddenLayers } = config;
  return {
    ...config,
    numHiddenLayers: layers,
    ...("numEncoderLayers" in config && { numEncoderLayers: layers === numHiddenLayers ? config.numEncoderLayers : Math.min(layers, config.numEncoderLayers) }),
    ...("vocabSize" in config && { vocabSize: Math.min(WORDS, config.vocabSize) }),
    ...("maxSourcePositions" in config && { maxSourcePositions: Math.min(PLACES, config.maxSourcePositions) }),
    ...("patchSize" in config && { imageSize: [config.patchSize[0], Math.min(PLACES * config.patchSize[1], config.imageSize[1])] }),
  } as Cut;
}

/** Tokens that differ from place to place, of types that do not; numbers between -1 and 1. */
function inputOf(name: string, { dtype, shape }: TensorType, config: ModelConfig): HostTensor {
  if (dtype === "f32") return { shape, data: Float32Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(i + 1)) };
  const isToken = name === "inputIds" || name === "decoderInputIds";
  // A recommender's window may be shorter, and its items fewer.
  const length = "maxPositionEmbeddings" in config ? Math.min(TOKENS, config.maxPositionEmbeddings) : TOKENS;
  const words = "vocabSize" in config ? Math.min(WORDS, config.vocabSize) : WORDS;
  return { shape: [1, length], data: Int32Array.from({ length }, (_, i) => (isToken ? (i + TOKENS) % words : name === "attentionMask" ? 1 : 0)) };
}

/** Each parameter of a layer multiplies every token. */
const costOf = (specs: readonly ParameterSpec[]): number => TOKENS * specs.reduce((sum, { shape }) => sum + (shape.length > 1 ? sizeOf(shape) : 0), 0);

interface Difference {
  readonly output: string;
  readonly found: number;
  readonly wanted: number;
  readonly largest: number;
}

/** What a device holds for a parameter, with the type that is left of it in the cut model. */
interface Part {
  readonly state: State;
  readonly type: TensorType;
}

/** A state of the model, or a small one in its place, and the same on the reference device. */
interface Pair {
  readonly here: State;
  readonly there: State;
}

/** The same weights on both devices. */
class Comparison {
  private constructor(
    private readonly model: Model,
    private readonly reference: ReferenceDevice,
    private readonly pairs: ReadonlyMap<State, Pair>,
    private readonly inputs: RunInputs,
  ) {}

  /** Brings the weights that the check reads to the reference device, as they are held. */
  static async of(model: Model, specs: readonly ParameterSpec[], inputs: RunInputs): Promise<Comparison> {
    const reference = new ReferenceDevice();
    const parts = specs.flatMap((spec) => partsOf(model, spec));
    const whole = parts.filter(isWhole);
    const contents = new Map((await model.device.readStates(whole.map(({ state }) => state))).map((data, i) => [whole[i]!.state, data] as const));
    const pairs = new Map<State, Pair>();
    for (const { state, type } of parts) {
      const held = contents.get(state);
      const data = held ?? madeUp(type);
      pairs.set(state, { here: held ? state : model.device.createState(`self-check.${state.name}`, type, data), there: reference.createState(state.name, type, data) });
    }
    return new Comparison(model, reference, pairs, inputs);
  }

  /** Where the devices' outputs differ most, if they do. */
  async differing(config: Cut, signal?: AbortSignal): Promise<Difference | undefined> {
    using here = this.compiled("here", config);
    using there = this.compiled("there", config);
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
    for (const [state, { here, there }] of this.pairs) {
      if (here !== state) here.dispose();
      there.dispose();
    }
    this.reference.dispose();
  }

  private compiled(side: keyof Pair, config: Cut): CompiledFunction {
    const { architecture, device, parameters, quantized } = this.model;
    const on = (state: State): State => this.pairs.get(state)![side];
    const source: ParameterSource = ({ name, shape }) => {
      const held = quantized.get(name);
      return held ? { format: held.format, shape: shape as [number, number], values: on(held.values), scales: on(held.scales) } : on(parameters.get(name)!);
    };
    return compile(side === "here" ? device : this.reference, "self-check", (tensors) => {
      const { lastHiddenState, logits } = architecture.forward(new Scope(source), config, splitInputs(tensors).inputs, inference);
      return { lastHiddenState, ...(logits && { logits }) };
    });
  }
}

const isWhole = ({ state, type }: Part): boolean => formatShape(state.type.shape) === formatShape(type.shape);

function partsOf({ parameters, quantized }: Model, { name, shape }: ParameterSpec): Part[] {
  const held = quantized.get(name);
  if (!held) return [{ state: parameters.get(name)!, type: { dtype: parameters.get(name)!.type.dtype, shape } }];
  const types = partTypes(held.format, shape as [number, number]);
  return [{ state: held.values, type: types.values }, { state: held.scales, type: types.scales }];
}

/** What a small table has in place of a large one's rows, so that this need not be carried about: the check is of kernels. */
function madeUp({ dtype, shape }: TensorType): HostTensor["data"] {
  const size = sizeOf(shape);
  // The golden ratio of 2³² (Knuth, volume 3, section 6.4): its multiples spread over all bits.
  if (dtype === "u32") return Uint32Array.from({ length: size }, (_, i) => Math.imul(i + 1, 2_654_435_761));
  const numbers = Float32Array.from({ length: size }, (_, i) => Math.sin(i + 1) / 16);
  return dtype === "f16" ? toFloat16(numbers) : numbers;
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
