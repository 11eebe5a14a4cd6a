import { describe, expect, it } from "vitest";
import type { Device, State } from "../../device/device.ts";
import { gradients } from "../../program/autodiff.ts";
import { compile, type CompiledFunction } from "../../program/compile.ts";
import type { Tensor } from "../../program/tensor.ts";
import { asTensor, assign } from "../../program/trace.ts";
import { ReferenceDevice } from "../../reference/device.ts";
import { expectClose, randomTensor } from "../../testing/check.ts";
import { testDevice } from "../../testing/devices.ts";
import type { WebGpuDevice } from "../../webgpu/device.ts";
import { add, mul } from "../elementwise/arithmetic.ts";
import { tanh } from "../elementwise/unary.ts";
import { sum } from "../reduce/op.ts";
import { adamW, biasCorrections } from "./adamw.ts";
import { clipScale, globalNorm } from "./global-norm.ts";

const device = await testDevice();
/** Whole fours and not, empty, smaller and larger than the piece of a workgroup (2048 or 4096 elements). */
const SHAPES = [[5], [8], [], [64, 65], [0, 3], [3, 3], [4096], [1]];

class Training {
  readonly parameters: State[];
  readonly moments: State[][];
  readonly step: CompiledFunction;
  private steps = 0;

  /** @param together which states share memory: those of a kind, all in turn, or none */
  constructor(on: Device, loss: (states: readonly State[]) => Tensor, { together, order = SHAPES.map((_, i) => i) }: { together: "by kind" | "in turn" | "none"; order?: readonly number[] }) {
    const specs = ["p", "m", "v"].map((kind) => SHAPES.map((shape, i) => ({ name: `${kind}${i}`, type: { dtype: "f32" as const, shape } })));
    const inTurn = together === "in turn" ? on.createStates(SHAPES.flatMap((_, i) => specs.map((kind) => kind[i]!))) : [];
    const [parameters, ...moments] = specs.map((kind, at) => {
      if (together === "in turn") return inTurn.filter((_, i) => i % specs.length === at);
      return together === "by kind" ? on.createStates(kind) : kind.map((spec) => on.createState(spec.name, spec.type));
    });
    this.parameters = parameters!;
    this.moments = moments;
    this.parameters.forEach((state, i) => state.write(randomTensor(SHAPES[i]!, 1 + i).data));
    this.step = compile(on, "many", ({ biasCorrection1, biasCorrection2 }) => {
      const value = loss(this.parameters);
      const grads = gradients(value, this.parameters);
      const gradNorm = globalNorm(grads);
      const scale = clipScale(gradNorm, 0.5);
      for (const i of order) {
        const [firstMoment, secondMoment] = this.moments.map((states) => states[i]!);
        adamW({ parameter: this.parameters[i]!, gradient: grads[i]!, firstMoment: firstMoment!, secondMoment: secondMoment!, learningRate: 0.1, biasCorrection1: biasCorrection1!, biasCorrection2: biasCorrection2!, weightDecay: i % 2 === 0 ? 0.1 : 0, scale });
      }
      return { value, gradNorm };
    });
  }

  async run(): Promise<number[]> {
    const { value, gradNorm } = await this.step.run(biasCorrections(++this.steps));
    return [value!.data[0]!, gradNorm!.data[0]!];
  }

  states(): State[] {
    return [...this.parameters, ...this.moments.flat()];
  }

  dispose(): void {
    this.step.dispose();
    for (const state of this.states()) state.dispose();
  }
}

const squares = (states: readonly State[]) => states.map((state, i) => sum(mul(tanh(mul(state, 1 + i / 10)), tanh(state)))).reduce((a, b) => add(a, b));

/** Steps on the GPU and on the reference; the states must agree. */
async function checkLearning(training: Training, on: Device, loss: (states: readonly State[]) => Tensor): Promise<void> {
  const cpu = new ReferenceDevice();
  const expected = new Training(cpu, loss, { together: "none" });
  for (let step = 0; step < 4; step++) expectClose(await training.run(), await expected.run(), 1e-5, `step ${step}`);
  const [actual, wanted] = [await on.readStates(training.states()), await cpu.readStates(expected.states())];
  actual.forEach((data, i) => expectClose(data, wanted[i]!, 1e-4, training.states()[i]!.name));
  training.dispose();
}

describe("many parameters", () => {
  it.each([
    ["states of a kind made together", { together: "by kind" }],
    ["all states made together, in turn", { together: "in turn" }],
    ["states made one by one", { together: "none" }],
    ["updates in another order than the states", { together: "by kind", order: [3, 1, 7, 0, 2, 6, 5, 4] }],
  ] as const)("learn as the reference does: %s", async (_, options) => {
    await checkLearning(new Training(device, squares, options), device, squares);
  });

  it("share dispatches on a GPU", async () => {
    if (device.kind !== "webgpu") return;
    const { traffic } = device as WebGpuDevice;
    const dispatches = async (together: "by kind" | "none") => {
      const training = new Training(device, squares, { together });
      await training.run();
      const before = traffic.dispatches;
      await training.run();
      training.dispose();
      return traffic.dispatches - before;
    };
    const filled = SHAPES.filter((shape) => !shape.includes(0)).length;
    expect((await dispatches("none")) - (await dispatches("by kind"))).toBe(filled - 1);
  });

  it("may have gradients that others are computed from", async () => {
    // The gradient of s₀ is an operand of the one of s₂.
    const chained = (states: readonly State[]) => {
      const [inner] = gradients(sum(mul(tanh(states[0]!), tanh(states[0]!))), [states[0]!]);
      return add(sum(mul(inner!, states[2]!)), squares(states));
    };
    await checkLearning(new Training(device, chained, { together: "by kind" }), device, chained);
  });

  it("may share one gradient, and what follows reads the new value", async () => {
    for (const on of [device, new ReferenceDevice()]) {
      const [a, b, m1, m2, v1, v2, average] = on.createStates(["a", "b", "m1", "m2", "v1", "v2", "average"].map((name) => ({ name, type: { dtype: "f32", shape: [3] } }))) as [State, State, State, State, State, State, State];
      using step = compile(on, "shared", ({ gradient, biasCorrection1, biasCorrection2 }) => {
        const g = mul(gradient!, 2);
        const settings = { learningRate: 0.1, biasCorrection1: biasCorrection1!, biasCorrection2: biasCorrection2!, weightDecay: 0 };
        const old = asTensor(a);
        adamW({ parameter: a, gradient: g, firstMoment: m1, secondMoment: v1, ...settings });
        assign(average, add(asTensor(a), 1));
        adamW({ parameter: b, gradient: add(g, asTensor(a)), firstMoment: m2, secondMoment: v2, ...settings });
        return { old, norm: globalNorm([g, g]) };
      });
      const { old, norm } = await step.run({ gradient: { shape: [3], data: Float32Array.of(1, -1, 2) }, ...biasCorrections(1) });
      expect([...old!.data]).toEqual([0, 0, 0]);
      expect(norm!.data[0]).toBeCloseTo(Math.sqrt(2 * (4 + 4 + 16)), 5);
      const [newA, newB, newAverage] = await on.readStates([a, b, average]);
      expectClose(newA!, [-0.1, 0.1, -0.1], 1e-5, "a");
      expectClose(newB!, [-0.1, 0.1, -0.1], 1e-5, "b");
      expectClose(newAverage!, [0.9, 1.1, 0.9], 1e-5, "average");
      step.dispose();
      for (const state of [a, b, m1, m2, v1, v2, average]) state.dispose();
    }
  });
});
