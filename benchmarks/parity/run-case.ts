import { compile, gradients, HeddleError, transpose, type Device, type HostTensor, type Tensor } from "@heddle/kernels";
import { loadModel, splitInputs, type Model, type ModelOutputs } from "@heddle/transformer";
import { contrastiveLoss, problemOf, taskLoss, TrainStep, type Batch } from "@heddle/training";
import { compareTensors, largest, Tally } from "./compare.ts";
import { checkGeneration } from "./generation.ts";
import { withPrefix, type GoldenCase, type GoldenTraining } from "./golden.ts";

/** Largest relative error of each part, of generated ids 0 where all are equal; null where the case does not have it. */
export interface CaseResult {
  readonly name: string;
  readonly pass: boolean;
  readonly forward: number | null;
  readonly grad: number | null;
  readonly train: number | null;
  readonly generate: number | null;
  /** Where it differs first, or why it could not run. */
  readonly reason: string | null;
}

/** Of max(1, max |reference|), as golden/README.md asks. */
const FORWARD_TOLERANCE = 2e-4;
/** Of a tensor's max |reference|. */
const GRADIENT_TOLERANCE = 1e-3;
/** Of each step's loss and gradient norm, over the whole run. */
const TRAINING_TOLERANCE = 1e-3;
/**
 * A tensor's gradients are compared on no finer scale than this share of the largest gradient of all: a key's bias moves
 * every score of a row alike, so its true gradient is 0 and both sides hold only rounding errors.
 */
const GRADIENT_FLOOR = 1e-3;
/**
 * A step's gradient norm is compared on no finer scale than this share of the run's largest: late in a run that learns its one
 * batch by heart, the norm is what is left of larger gradients that nearly cancel.
 */
const NORM_FLOOR = 0.1;
/**
 * Trained weights, of max(1, max |reference|). AdamW divides by the gradient's own size, so an element whose gradient is
 * near rounding moves by up to the learning rate a step whatever its gradient is; over 50 steps of 1e-3 that is 0.05.
 */
const TRAINED_TOLERANCE = 2e-3;
/** Parameters whose largest gradient is below this share of the largest of all have a true gradient of 0: their path is chance. */
const CHANCE_SHARE = 1e-6;

const INPUT_NAMES: Readonly<Record<string, string>> = {
  input_ids: "inputIds",
  attention_mask: "attentionMask",
  token_type_ids: "tokenTypeIds",
  labels: "labels",
  start_positions: "startPositions",
  end_positions: "endPositions",
  decoder_input_ids: "decoderInputIds",
  pixel_values: "pixelValues",
  input_features: "inputFeatures",
};

/** Parameters that transformers 5 calls otherwise in memory, where the golden gradients come from, than in files. */
const FILE_NAMES: Readonly<Record<string, readonly (readonly [inMemory: RegExp, inFiles: string])[]>> = {
  gpt_neox: [[/^lm_head\./, "embed_out."]],
  vit: [
    [/^vit\.layers\./, "vit.encoder.layer."],
    [/attention\.q_proj/, "attention.attention.query"],
    [/attention\.k_proj/, "attention.attention.key"],
    [/attention\.v_proj/, "attention.attention.value"],
    [/attention\.o_proj/, "attention.output.dense"],
    [/mlp\.fc1/, "intermediate.dense"],
    [/mlp\.fc2/, "output.dense"],
  ],
};

const nameInFiles = ({ config }: Model, name: string): string => (FILE_NAMES[config.modelType] ?? []).reduce((found, [inMemory, inFiles]) => found.replace(inMemory, inFiles), name);

/** Runs everything that the case holds: forward pass, loss, gradients, the training run. */
export async function runCase(device: Device, golden: GoldenCase): Promise<CaseResult> {
  const failed = (reason: string): CaseResult => ({ name: golden.name, pass: false, forward: null, grad: null, train: null, generate: null, reason });
  let model: Model | null = null;
  try {
    const loaded = await loadModel(device, golden.folder);
    model = loaded.model;
    if (model.architecture.name !== golden.modelClass) return failed(`case.json wants ${golden.modelClass}, the folder loads as ${model.architecture.name}`);
    if (loaded.missing.length > 0) return failed(`the checkpoint lacks ${loaded.missing.join(", ")}`);
    const batch = inputsOf(golden, model);
    const { forward, grad } = await checkForwardAndGradients(model, golden, batch);
    const generation = golden.generate && (await checkGeneration(model, golden.generate, batch));
    const train = golden.train && (await checkTraining(model, golden, golden.train, batch));
    const reason = forward.firstFailure ?? grad?.firstFailure ?? train?.firstFailure ?? generation;
    return { name: golden.name, pass: reason === null, forward: forward.worst, grad: grad?.worst ?? null, train: train?.worst ?? null, generate: golden.generate && Number(generation !== null), reason };
  } catch (error) {
    return failed(HeddleError.isInstance(error) ? `${error.code} ${error.message}` : String((error as Error).stack));
  } finally {
    model?.dispose();
  }
}

function inputsOf(golden: GoldenCase, model: Model): Batch {
  const batch: Record<string, HostTensor> = {};
  for (const [name, tensor] of withPrefix(golden, "in.")) {
    const known = INPUT_NAMES[name];
    if (known === undefined) throw new HeddleError("INPUT_UNKNOWN", `[${golden.name}] in.${name} is not an input of ${golden.modelClass}`);
    batch[known] = tensor;
  }
  const { labels } = batch;
  // transformers compares [batch] with squeezed logits where there is one value a row.
  if (labels && golden.task === "regression") batch["labels"] = { shape: [labels.shape[0]!, model.config.numLabels], data: labels.data };
  return batch;
}

const states = (name: string, hidden: readonly Tensor[]) => Object.fromEntries(hidden.map((state, i) => [`${name}.${i}`, state]));

function namedOutputs({ hiddenStates, lastHiddenState, poolerOutput, logits, startLogits, endLogits, encoder, imageEmbeds, textEmbeds, logitsPerImage }: ModelOutputs): Record<string, Tensor> {
  return {
    ...states(encoder ? "decoder_hidden_states" : "hidden_states", hiddenStates),
    last_hidden_state: lastHiddenState,
    ...(encoder && { ...states("encoder_hidden_states", encoder.hiddenStates), encoder_last_hidden_state: encoder.lastHiddenState }),
    ...(imageEmbeds && { image_embeds: imageEmbeds }),
    ...(textEmbeds && { text_embeds: textEmbeds }),
    ...(logitsPerImage && { logits_per_image: logitsPerImage, logits_per_text: transpose(logitsPerImage, [1, 0]) }),
    ...(poolerOutput && { pooler_output: poolerOutput }),
    ...(logits && { logits }),
    ...(startLogits && { start_logits: startLogits }),
    ...(endLogits && { end_logits: endLogits }),
  };
}

async function checkForwardAndGradients(model: Model, golden: GoldenCase, batch: Batch): Promise<{ forward: Tally; grad: Tally | null }> {
  const wantedLoss = golden.tensors.get("loss");
  const wantedGradients = withPrefix(golden, "grad.");
  const run = compile(model.device, golden.name, (tensors) => {
    const { inputs, labels } = splitInputs(tensors);
    const outputs = model.forward(inputs);
    if (!wantedLoss) return namedOutputs(outputs);
    const loss = outputs.logitsPerImage ? contrastiveLoss(outputs.logitsPerImage) : taskLoss(problemOf(model), outputs, labels, inputs.attentionMask);
    const parameters = wantedGradients.length > 0 ? [...model.parameters] : [];
    const grads = gradients(loss, parameters.map(([, state]) => state));
    return { ...namedOutputs(outputs), loss, ...Object.fromEntries(parameters.map(([name], i) => [`grad.${name}`, grads[i]!])) };
  });
  try {
    const outputs = await run.run(batch);
    const forward = new Tally(FORWARD_TOLERANCE);
    const seen = tokensSeen(model, batch);
    for (const [name, wanted] of withPrefix(golden, "out.")) forward.add(compareTensors(`out.${name}`, outputs[name], wanted, 1, seen));
    if (wantedLoss) forward.add(compareTensors("loss", outputs["loss"], wantedLoss, 1));
    if (wantedGradients.length === 0) return { forward, grad: null };
    const grad = new Tally(GRADIENT_TOLERANCE);
    const floor = GRADIENT_FLOOR * Math.max(...wantedGradients.map(([, { data }]) => largest(data)));
    for (const [name, wanted] of wantedGradients) grad.add(compareTensors(`grad.${name}`, outputs[`grad.${nameInFiles(model, name)}`], wanted, floor));
    return { forward, grad };
  } finally {
    run.dispose();
  }
}

/**
 * Which tokens to compare, where not all: in a layer with a window, a query of the padding may see nothing but padding. transformers
 * then gives it the mean of all values, which nothing reads; Heddle gives it zeros.
 */
function tokensSeen({ config }: Model, { attentionMask }: Batch): HostTensor | undefined {
  return "layerTypes" in config && config.layerTypes.includes("sliding_attention") ? attentionMask : undefined;
}

/**
 * AdamW on the one batch, as make_golden.py trains: constant learning rate, every parameter decayed, clipped by norm. With ReLU only the
 * losses and the first gradient can be compared: a unit that rounding moves across the kink changes the gradient by a jump. PyTorch
 * itself, on two machines, gives losses of t5-seq2seq within 8e-4 of each other and gradient norms up to three times one another.
 */
async function checkTraining(model: Model, golden: GoldenCase, { hyperparameters: hp, losses, grad_norms: gradNorms }: GoldenTraining, batch: Batch): Promise<Tally> {
  const train = new Tally(TRAINING_TOLERANCE);
  const step = new TrainStep(model, {
    weightDecay: hp.weight_decay,
    adamBeta1: hp.betas[0],
    adamBeta2: hp.betas[1],
    adamEpsilon: hp.eps,
    maxGradNorm: hp.max_grad_norm,
    labelSmoothingFactor: 0,
    gradientAccumulationSteps: 1,
    seed: 0,
    decayParameters: () => true,
  });
  const isReproducible = !("hiddenAct" in model.config) || model.config.hiddenAct !== "relu";
  const normFloor = NORM_FLOOR * Math.max(...gradNorms);
  const relative = (name: string, actual: number, wanted: number) => ({ error: Math.abs(actual - wanted) / Math.abs(wanted) || (Number.isNaN(actual) ? Infinity : 0), where: `${name} is ${actual}, wanted ${wanted}` });
  try {
    for (let i = 0; i < hp.steps; i++) {
      const report = await step.run([batch], { step: i, learningRate: hp.lr, restartsSums: true, read: true });
      train.add(relative(`train.loss[${i}]`, report!.lossSum, losses[i]!));
      if (isReproducible || i === 0) train.add({ error: Math.abs(report!.gradNorm - gradNorms[i]!) / Math.max(gradNorms[i]!, normFloor), where: `train.grad_norm[${i}] is ${report!.gradNorm}, wanted ${gradNorms[i]!}` });
    }
  } finally {
    step.dispose();
  }
  if (!isReproducible) return train;
  const trained = new Tally(TRAINED_TOLERANCE);
  const largestGradient = Math.max(...withPrefix(golden, "grad.").map(([, { data }]) => largest(data)));
  for (const [name, wanted] of withPrefix(golden, "trained.")) {
    const gradient = golden.tensors.get(`grad.${name}`);
    if (gradient && largest(gradient.data) < CHANCE_SHARE * largestGradient) continue;
    const state = model.parameters.get(nameInFiles(model, name));
    const actual = state && { shape: state.type.shape, data: (await model.device.readStates([state]))[0]! };
    trained.add(compareTensors(`trained.${name}`, actual, wanted, 1));
  }
  train.firstFailure ??= trained.firstFailure;
  return train;
}
