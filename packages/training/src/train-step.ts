import { adamW, add, assign, asTensor, biasCorrections, broadcastTo, clipScale, compile, constant, globalNorm, gradients, HeddleError, hostTensor, less, mul, type CompiledFunction, type MemoryPlan, type State, type Tensor, type TensorType } from "@heddle/kernels";
import { splitInputs, type Model } from "@heddle/transformer";
import type { TrainingArguments } from "./arguments.ts";
import type { Batch } from "./data/collate.ts";
import { contrastiveLoss, taskLoss } from "./losses.ts";
import type { NextItemLoss } from "./next-item-loss.ts";
import { OptimizerStates } from "./optimizer-states.ts";
import { problemOf } from "./problem.ts";
import { randomBits, randomStream } from "./random.ts";

/** Chooses by name the parameters that weight decay applies to. */
export type DecayParameters = (name: string) => boolean;

/** All but biases and layer norms, as transformers' Trainer does. */
export const decayExceptBiasAndNorm: DecayParameters = (name) => !/(^|[._])bias$|norm/i.test(name);

export interface TrainStepOptions
  extends Pick<TrainingArguments, "weightDecay" | "adamBeta1" | "adamBeta2" | "adamEpsilon" | "maxGradNorm" | "labelSmoothingFactor" | "gradientAccumulationSteps" | "seed"> {
  decayParameters?: DecayParameters;
  /** How much each class counts in the loss, by class id. */
  classWeights?: readonly number[];
  /** Of a model that recommends; the softmax over all items by default. */
  nextItemLoss?: NextItemLoss;
  /** Keeps an exponential moving average of the weights: average ← emaDecay · average + (1 − emaDecay) · weights. */
  emaDecay?: number;
}

export interface StepReport {
  /** Sum of the losses since the running sum was last restarted. */
  readonly lossSum: number;
  /** Steps since then whose gradients were finite. */
  readonly finiteSteps: number;
  /** Of this step, before clipping. */
  readonly gradNorm: number;
}

export interface StepRun {
  /** Optimizer steps done before, in the whole run. */
  readonly step: number;
  readonly learningRate: number;
  /** Whether the running sums start anew with this step. */
  readonly restartsSums: boolean;
  /** Bring the sums back; without it the call returns once the work is queued. */
  readonly read: boolean;
}

const REPORTED = ["lossSum", "finiteSteps", "gradNorm"] as const;

/** A model made ready to learn: one program and one submission a step, or one a batch and one to apply where gradients accumulate. */
export class TrainStep {
  readonly states: OptimizerStates;
  private readonly whole: CompiledFunction;
  private readonly accumulate: CompiledFunction;
  private readonly apply: CompiledFunction;
  private readonly swap: CompiledFunction;
  private readonly parameters: readonly (readonly [string, State])[];

  constructor(
    private readonly model: Model,
    private readonly options: TrainStepOptions,
  ) {
    if (model.quantized.size > 0) throw new HeddleError("NOT_DIFFERENTIABLE", `[train] ${model.quantized.size} weights of ${model.architecture.name} are held in few bits, which no step changes: load it with dtype "float32"`);
    // Sorted, as the order decides how the gradients' norm is summed, and a resumed run may have loaded them in another.
    this.parameters = [...model.parameters].sort(([a], [b]) => (a < b ? -1 : 1));
    this.states = new OptimizerStates(model.device, this.parameters, { average: options.emaDecay !== undefined, accumulate: options.gradientAccumulationSteps > 1 });
    const compiled = (name: string, fn: (inputs: Record<string, Tensor>) => Record<string, Tensor>) => compile(model.device, name, fn);
    this.whole = compiled("train-step", (inputs) => {
      const { loss, gradients: grads } = this.backward(inputs);
      return this.update(grads, add(this.restarted("lossSum", inputs["keepSums"]!), loss), inputs);
    });
    this.accumulate = compiled("accumulate-gradients", (inputs) => {
      const { loss, gradients: grads } = this.backward(inputs);
      this.states.gradientSums.forEach((sum, i) => assign(sum, add(sum, grads[i]!)));
      assign(this.states.batchLossSum, add(this.states.batchLossSum, loss));
      return {};
    });
    this.apply = compiled("apply-gradients", (inputs) => {
      const { gradientSums, batchLossSum } = this.states;
      const share = inputs["share"]!;
      const lossSum = add(this.restarted("lossSum", inputs["keepSums"]!), mul(batchLossSum, share));
      const outputs = this.update(gradientSums.map((sum) => mul(sum, share)), lossSum, inputs);
      for (const sum of [...gradientSums, batchLossSum]) assign(sum, broadcastTo(constant(0), sum.type.shape));
      return outputs;
    });
    this.swap = compiled("swap-averages", () => {
      for (const [average, parameter] of this.states.averages) {
        const [averaged, latest] = [asTensor(average), asTensor(parameter)];
        assign(average, latest);
        assign(parameter, averaged);
      }
      return {};
    });
  }

  /** Bytes that a step on batches of these types needs at its peak. */
  plan(types: Readonly<Record<string, TensorType>>): MemoryPlan {
    const scalar: TensorType = { dtype: "f32", shape: [] };
    const dropoutKey: TensorType = { dtype: "u32", shape: [] };
    if (this.options.gradientAccumulationSteps > 1) return this.accumulate.plan({ ...types, dropoutKey });
    return this.whole.plan({ ...types, dropoutKey, learningRate: scalar, biasCorrection1: scalar, biasCorrection2: scalar, keepSums: scalar });
  }

  /** One optimizer step on the mean gradient of the batches. */
  async run(batches: readonly Batch[], { step, learningRate, restartsSums, read }: StepRun): Promise<StepReport | null> {
    const { adamBeta1, adamBeta2, gradientAccumulationSteps, seed } = this.options;
    const scalars = { learningRate, ...biasCorrections(step + 1, adamBeta1, adamBeta2), keepSums: restartsSums ? 0 : 1 };
    const runOptions = { read: read ? REPORTED : (false as const) };
    const dropoutKey = (batch: number) => hostTensor(Uint32Array.of(randomBits(seed, randomStream.dropout, step * gradientAccumulationSteps + batch)), []);
    if (gradientAccumulationSteps === 1) return report(await this.whole.run({ ...batches[0]!, ...scalars, dropoutKey: dropoutKey(0) }, runOptions));
    for (const [i, batch] of batches.entries()) await this.accumulate.run({ ...batch, dropoutKey: dropoutKey(i) }, { read: false });
    return report(await this.apply.run({ ...scalars, share: 1 / batches.length }, runOptions));
  }

  /** Exchanges the weights and their moving average: once to evaluate or save the average, once more to train on. */
  async swapAverages(): Promise<void> {
    if (this.states.averages.length > 0) await this.swap.run({}, { read: false });
  }

  dispose(): void {
    for (const compiled of [this.whole, this.accumulate, this.apply, this.swap]) compiled.dispose();
    this.states.dispose();
  }

  private backward({ dropoutKey, ...batch }: Record<string, Tensor>): { loss: Tensor; gradients: Tensor[] } {
    const { labelSmoothingFactor, classWeights, nextItemLoss } = this.options;
    const { inputs, labels } = splitInputs(batch);
    const outputs = this.model.forward(inputs, { dropoutKey: dropoutKey! });
    const options = { labelSmoothingFactor, lossOnly: true, ...(nextItemLoss && { nextItemLoss }), ...(classWeights && { classWeights: this.states.classWeights(classWeights) }) };
    // A model of images and texts needs no labels.
    const loss = outputs.logitsPerImage ? contrastiveLoss(outputs.logitsPerImage) : taskLoss(problemOf(this.model), outputs, labels, inputs.attentionMask, options);
    return { loss, gradients: gradients(loss, this.parameters.map(([, state]) => state)) };
  }

  /** Clipping, AdamW and the running sums. */
  private update(grads: readonly Tensor[], lossSum: Tensor, inputs: Record<string, Tensor>): Record<(typeof REPORTED)[number], Tensor> {
    const { weightDecay, adamBeta1: beta1, adamBeta2: beta2, adamEpsilon: epsilon, maxGradNorm, emaDecay, decayParameters = decayExceptBiasAndNorm } = this.options;
    const gradNorm = globalNorm(grads);
    const scale = maxGradNorm > 0 ? { scale: clipScale(gradNorm, maxGradNorm) } : {};
    const { learningRate, biasCorrection1, biasCorrection2, keepSums } = inputs as Record<"learningRate" | "biasCorrection1" | "biasCorrection2" | "keepSums", Tensor>;
    this.parameters.forEach(([name, parameter], i) => {
      const { firstMoment, secondMoment } = this.states.moments[i]!;
      const decay = decayParameters(name) ? weightDecay : 0;
      adamW({ parameter, gradient: grads[i]!, firstMoment, secondMoment, learningRate, biasCorrection1, biasCorrection2, beta1, beta2, epsilon, weightDecay: decay, ...scale });
    });
    if (emaDecay !== undefined) {
      for (const [average, parameter] of this.states.averages) assign(average, add(mul(average, emaDecay), mul(parameter, 1 - emaDecay)));
    }
    // A comparison with NaN is false, so this counts until the first gradient that is not finite; all later ones are not either.
    const finiteSteps = add(this.restarted("finiteSteps", keepSums), less(gradNorm, LARGEST_NORM));
    assign(this.states.lossSum, lossSum);
    assign(this.states.finiteSteps, finiteSteps);
    return { lossSum, finiteSteps, gradNorm };
  }

  private restarted(sum: "lossSum" | "finiteSteps", keep: Tensor): Tensor {
    return mul(this.states[sum], keep);
  }
}

/** Just below the largest f32. */
const LARGEST_NORM = 3e38;

function report(outputs: Record<string, { data: ArrayLike<number> }>): StepReport | null {
  if (!outputs["lossSum"]) return null;
  const [lossSum, finiteSteps, gradNorm] = REPORTED.map((name) => outputs[name]!.data[0]!) as [number, number, number];
  return { lossSum, finiteSteps, gradNorm };
}
