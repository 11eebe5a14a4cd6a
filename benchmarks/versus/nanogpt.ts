import { adamW, add, attention, biasCorrections, clipScale, compile, embedding, globalNorm, gradients, layerNorm as layerNormOp, linearCrossEntropy, matmul, placeholder, reshape, slice, trace, type ActivationName, type CompiledFunction, type Device, type HostTensor, type State, type Tensor, type TensorLike } from "@heddle/kernels";
import { initialize, Scope, type Initializer, type ParameterSpec } from "@heddle/transformer";

// GPT-2 (Radford et al. 2019), with the layout of transformers' modeling_gpt2.py, straight on kernels: what a reader of
// nanoGPT would write, and a measure of what a whole training step costs there.

export interface NanoGptConfig {
  readonly vocabSize: number;
  readonly contextLength: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly numHeads: number;
}

const EPSILON = 1e-5;
const INITIALIZER_RANGE = 0.02;
const normal = (standardDeviation: number): Initializer => ({ kind: "normal", standardDeviation });

/** y = activation(x W + b), with W stored [in, out]. */
function project(scope: Scope, x: Tensor, outputSize: number, { standardDeviation = INITIALIZER_RANGE, activation }: { standardDeviation?: number; activation?: ActivationName } = {}): Tensor {
  const weight = scope.parameter("weight", [x.shape.at(-1)!, outputSize], normal(standardDeviation));
  return matmul(x, weight, { bias: scope.parameter("bias", [outputSize], { kind: "zeros" }), ...(activation && { activation }) });
}

function layerNorm(scope: Scope, x: Tensor): Tensor {
  const shape = [x.shape.at(-1)!];
  return layerNormOp(x, scope.parameter("weight", shape, { kind: "ones" }), scope.parameter("bias", shape, { kind: "zeros" }), EPSILON);
}

/** Each token attends to itself and to those before it. x [batch, length, hidden] → same. */
function selfAttention(scope: Scope, { numHeads }: NanoGptConfig, x: Tensor, standardDeviation: number): Tensor {
  const [batch, length, size] = x.shape as [number, number, number];
  const joined = project(scope.in("c_attn"), x, 3 * size); // [batch, length, 3 · hidden]
  const [q, k, v] = [0, 1, 2].map((i) => reshape(slice(joined, { axis: 2, begin: i * size, end: (i + 1) * size }), [batch, length, numHeads, size / numHeads]));
  return project(scope.in("c_proj"), reshape(attention(q!, k!, v!, { causal: true }), [batch, length, size]), size, { standardDeviation });
}

/** Pre-norm: x + sublayer(LayerNorm(x)), twice. */
function block(scope: Scope, config: NanoGptConfig, x: Tensor): Tensor {
  // Section 2.3: what adds to the residual stream starts smaller the more layers add to it.
  const standardDeviation = INITIALIZER_RANGE / Math.sqrt(2 * config.numLayers);
  const attended = add(x, selfAttention(scope.in("attn"), config, layerNorm(scope.in("ln_1"), x), standardDeviation));
  const mlp = scope.in("mlp");
  const expanded = project(mlp.in("c_fc"), layerNorm(scope.in("ln_2"), attended), 4 * config.hiddenSize, { activation: "gelu_new" });
  return add(attended, project(mlp.in("c_proj"), expanded, config.hiddenSize, { standardDeviation }));
}

interface GptOutputs {
  /** [batch, length, hidden]. */
  readonly hidden: Tensor;
  /** The token embedding, which is the decoder's matrix too (tied). */
  readonly table: TensorLike;
}

/** inputIds i32 [batch, length]. */
function gpt(scope: Scope, config: NanoGptConfig, inputIds: Tensor): GptOutputs {
  const { vocabSize, contextLength, hiddenSize, numLayers } = config;
  const [, length] = inputIds.shape as [number, number];
  const table = scope.in("wte").parameter("weight", [vocabSize, hiddenSize], normal(INITIALIZER_RANGE));
  const positions = scope.in("wpe").parameter("weight", [contextLength, hiddenSize], normal(INITIALIZER_RANGE));
  let x = add(embedding(table, inputIds), slice(positions, { axis: 0, begin: 0, end: length }));
  for (let i = 0; i < numLayers; i++) x = block(scope.in("h").in(i), config, x);
  return { hidden: layerNorm(scope.in("ln_f"), x), table };
}

/** The model's parameters as states, by transformers' names. */
export class NanoGpt {
  readonly parameters: ReadonlyMap<string, State>;

  constructor(
    readonly device: Device,
    readonly config: NanoGptConfig,
    seed: number,
  ) {
    const specs = parametersOf(config);
    const states = device.createStates(specs.map(({ name, shape }) => ({ name, type: { dtype: "f32", shape } })));
    states.forEach((state, i) => state.write(initialize(specs[i]!, seed)));
    this.parameters = new Map(states.map((state) => [state.name, state]));
  }

  /** Records the forward pass. inputIds i32 [batch, length] → logits [batch, length, vocabulary]. */
  forward(inputIds: Tensor): Tensor {
    const { hidden, table } = this.outputs(inputIds);
    return matmul(hidden, table, { transposeB: true });
  }

  /** Records the mean loss. labels i32 [batch, length]: the token that follows, -100 where none does. */
  loss(inputIds: Tensor, labels: Tensor): Tensor {
    const { hidden, table } = this.outputs(inputIds);
    return linearCrossEntropy(hidden, table, labels);
  }

  private outputs(inputIds: Tensor): GptOutputs {
    return gpt(new Scope(({ name }) => this.parameters.get(name)!, "transformer."), this.config, inputIds);
  }

  dispose(): void {
    for (const state of this.parameters.values()) state.dispose();
  }
}

function parametersOf(config: NanoGptConfig): ParameterSpec[] {
  const specs = new Map<string, ParameterSpec>();
  trace("nanogpt parameters", { inputIds: { dtype: "i32", shape: [1, 1] } }, ({ inputIds }) => {
    const declare = (spec: ParameterSpec) => {
      specs.set(spec.name, spec);
      return placeholder(spec.name, { dtype: "f32", shape: spec.shape });
    };
    gpt(new Scope(declare, "transformer."), config, inputIds!);
    return {};
  });
  return [...specs.values()];
}

/** A batch of token ids and what follows each: labels[t] = inputIds[t + 1]. */
export type NanoGptBatch = Readonly<Record<"inputIds" | "labels", HostTensor>>;

export interface NanoGptTrainingOptions {
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly maxGradNorm: number;
}

/** Whole training steps, each one program: forward, backward, clipping, AdamW. */
export class NanoGptTraining {
  private readonly moments: readonly State[];
  private readonly step: CompiledFunction;
  private stepsDone = 0;

  constructor(model: NanoGpt, { learningRate, weightDecay, maxGradNorm }: NanoGptTrainingOptions) {
    const states = [...model.parameters.values()];
    const moments = (which: string) => model.device.createStates(states.map(({ name, type }) => ({ name: `${name}.${which}-moment`, type })));
    const [firsts, seconds] = [moments("first"), moments("second")];
    this.moments = [...firsts, ...seconds];
    const parameters = states.map((parameter, i) => ({ parameter, firstMoment: firsts[i]!, secondMoment: seconds[i]! }));
    this.step = compile(model.device, "nanogpt-step", ({ inputIds, labels, biasCorrection1, biasCorrection2 }) => {
      const loss = model.loss(inputIds!, labels!);
      const grads = gradients(loss, parameters.map(({ parameter }) => parameter));
      const scale = clipScale(globalNorm(grads), maxGradNorm);
      parameters.forEach((states, i) => adamW({ ...states, gradient: grads[i]!, learningRate, biasCorrection1: biasCorrection1!, biasCorrection2: biasCorrection2!, weightDecay, scale }));
      return { loss };
    });
  }

  /** One step; resolves to the loss before it. */
  async run(batch: NanoGptBatch): Promise<number> {
    const { loss } = await this.step.run({ ...batch, ...biasCorrections(++this.stepsDone) });
    return loss!.data[0]!;
  }

  /** One step; resolves when it is queued. */
  async queue(batch: NanoGptBatch): Promise<void> {
    await this.step.run({ ...batch, ...biasCorrections(++this.stepsDone) }, { read: false });
  }

  dispose(): void {
    this.step.dispose();
    for (const state of this.moments) state.dispose();
  }
}
