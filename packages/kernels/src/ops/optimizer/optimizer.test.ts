import { describe, expect, it } from "vitest";
import type { State } from "../../device/device.ts";
import { compile } from "../../program/compile.ts";
import { checkForward, expectClose, randomFloats, randomTensor, reference } from "../../testing/check.ts";
import { testDevice } from "../../testing/devices.ts";
import { ReferenceDevice } from "../../reference/device.ts";
import { adamW, biasCorrections } from "./adamw.ts";
import { clipScale, globalNorm } from "./global-norm.ts";
import { sgd } from "./sgd.ts";

const device = await testDevice();
const cpu = new ReferenceDevice();
const STEPS = 50;

const gradientAt = (size: number, step: number) => randomFloats(size, 100 + step).map((value, i) => value * 10 ** ((i % 5) - 3));

function states(on: typeof device, shape: number[], names: readonly string[]): State[] {
  return names.map((name, i) => on.createState(name, { dtype: "f32", shape }, i === 0 ? randomTensor(shape, 1).data : undefined));
}

describe("adamW", () => {
  // 3000 elements are several workgroups of several elements a lane; 33 takes the scalar path.
  it.each([[[33]], [[50, 60]], [[1]], [[7, 1, 4]]])("equals a plain f64 loop over 50 steps, shape %j", async (shape) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const [beta1, beta2, epsilon, weightDecay] = [0.9, 0.999, 1e-8, 0.05];
    const p = Float64Array.from(randomTensor(shape, 1).data);
    const m = new Float64Array(size);
    const v = new Float64Array(size);
    for (const on of [device, cpu]) {
      const [parameter, firstMoment, secondMoment] = states(on, shape, ["parameter", "first", "second"]) as [State, State, State];
      using step = compile(on, "adamw", ({ gradient, learningRate, biasCorrection1, biasCorrection2, scale }) => {
        adamW({ parameter, gradient: gradient!, firstMoment, secondMoment, learningRate: learningRate!, biasCorrection1: biasCorrection1!, biasCorrection2: biasCorrection2!, scale: scale!, beta1, beta2, epsilon, weightDecay });
        return {};
      });
      p.set(randomTensor(shape, 1).data);
      m.fill(0);
      v.fill(0);
      for (let t = 1; t <= STEPS; t++) {
        const learningRate = Math.fround(0.01 * (1 - t / 100));
        const gradient = gradientAt(size, t);
        await step.run({ gradient: { shape, data: gradient }, learningRate, scale: 0.5, ...biasCorrections(t, beta1, beta2) });
        for (let i = 0; i < size; i++) {
          const g = gradient[i]! * 0.5;
          p[i]! *= 1 - learningRate * weightDecay;
          m[i] = beta1 * m[i]! + (1 - beta1) * g;
          v[i] = beta2 * v[i]! + (1 - beta2) * g * g;
          p[i]! -= (learningRate / (1 - beta1 ** t)) * (m[i]! / (Math.sqrt(v[i]!) / Math.sqrt(1 - beta2 ** t) + epsilon));
        }
      }
      const [actual, first, second] = await on.readStates([parameter, firstMoment, secondMoment]);
      expectClose(actual!, p, 1e-6, `parameter on ${on.description}`);
      const worst = (a: ArrayLike<number>, b: Float64Array) => b.reduce((most, value, i) => Math.max(most, Math.abs(a[i]! - value) / (Math.abs(value) + 1e-6)), 0);
      expect(worst(second!, v)).toBeLessThan(1e-5);
      expectClose(first!, m, 1e-6, "first moment");
      for (const state of [parameter, firstMoment, secondMoment]) state.dispose();
    }
  });

  it("steps by the learning rate where the gradient is constant, whatever its size", async () => {
    const [parameter, firstMoment, secondMoment] = ["p", "m", "v"].map((name) => device.createState(name, { dtype: "f32", shape: [2] })) as [State, State, State];
    using step = compile(device, "adamw-constant", ({ gradient, biasCorrection1, biasCorrection2 }) => {
      adamW({ parameter, gradient: gradient!, firstMoment, secondMoment, learningRate: 0.1, biasCorrection1: biasCorrection1!, biasCorrection2: biasCorrection2!, weightDecay: 0 });
      return {};
    });
    for (let t = 1; t <= 3; t++) await step.run({ gradient: { shape: [2], data: Float32Array.of(1e-3, -50) }, ...biasCorrections(t) });
    expectClose((await device.readStates([parameter]))[0]!, [-0.3, 0.3], 1e-5, "parameter");
  });

  it("refuses shapes and settings that cannot be meant", () => {
    const [parameter, firstMoment, secondMoment] = states(cpu, [3], ["p", "m", "v"]) as [State, State, State];
    const run = (shape: number[], options: object) => () =>
      reference(({ gradient }) => {
        adamW({ parameter, gradient: gradient!, firstMoment, secondMoment, learningRate: 0.1, biasCorrection1: 0.1, biasCorrection2: 0.1, ...options });
        return {};
      }, { gradient: randomTensor(shape, 1) });
    expect(run([4], {})).toThrow("[adamW] the gradient and every moment must have the parameter's shape [3], got [4], [3], [3]");
    expect(run([3], { beta2: 1 })).toThrow("betas must be in [0, 1)");
    expect(run([3], { epsilon: 0 })).toThrow("epsilon must be positive");
    expect(() => biasCorrections(0)).toThrow("steps count from 1");
  });
});

describe("sgd", () => {
  it.each([
    ["plain", {}],
    ["momentum", { momentum: 0.9 }],
    ["nesterov with decay", { momentum: 0.9, nesterov: true, weightDecay: 0.01 }],
    ["decay only", { weightDecay: 0.1 }],
  ] as [string, { momentum?: number; nesterov?: boolean; weightDecay?: number }][])("equals torch.optim.SGD's loop over 50 steps: %s", async (_, options) => {
    const size = 37;
    const [parameter, velocity] = states(device, [size], ["parameter", "velocity"]) as [State, State];
    using step = compile(device, "sgd", ({ gradient, learningRate }) => {
      sgd({ parameter, gradient: gradient!, learningRate: learningRate!, ...(options.momentum ? { velocity } : {}), ...options });
      return {};
    });
    const p = Float64Array.from(randomTensor([size], 1).data);
    const buffer = new Float64Array(size);
    const { momentum = 0, weightDecay = 0 } = options;
    const learningRate = Math.fround(0.02);
    for (let t = 1; t <= STEPS; t++) {
      const gradient = gradientAt(size, t);
      await step.run({ gradient: { shape: [size], data: gradient }, learningRate });
      for (let i = 0; i < size; i++) {
        let g = gradient[i]! + weightDecay * p[i]!;
        if (momentum > 0) {
          buffer[i] = t === 1 ? g : momentum * buffer[i]! + g;
          g = options.nesterov ? g + momentum * buffer[i]! : buffer[i]!;
        }
        p[i]! -= learningRate * g;
      }
    }
    expectClose((await device.readStates([parameter]))[0]!, p, 1e-6, "parameter");
  });

  it("names what is missing", () => {
    const [parameter] = states(cpu, [3], ["p"]) as [State];
    const run = (options: object) => () => reference(({ gradient }) => (sgd({ parameter, gradient: gradient!, learningRate: 0.1, ...options }), {}), { gradient: randomTensor([3], 1) });
    expect(run({ momentum: 0.9 })).toThrow("[sgd] momentum needs a state `velocity`");
    expect(run({ nesterov: true })).toThrow("[sgd] nesterov needs a momentum");
  });
});

describe("globalNorm and clipScale", () => {
  const inputs = { a: randomTensor([3, 5], 1), b: randomTensor([1], 2), c: randomTensor([130, 132], 3), d: randomTensor([0, 4], 4), e: randomTensor([300, 301], 5, 3) };

  it("is the norm of all gradients together", async () => {
    await checkForward(device, (tensors) => ({ norm: globalNorm(Object.values(tensors)), one: globalNorm([tensors["b"]!]), none: clipScale(globalNorm([]), 1) }), inputs, 1e-6);
  });

  it("clips large norms and leaves small ones", async () => {
    await checkForward(device, ({ a }) => ({ clipped: clipScale(globalNorm([a!]), 0.5), kept: clipScale(globalNorm([a!]), 100) }), { a: inputs.a }, 1e-6);
    const { kept } = reference(({ a }) => ({ kept: clipScale(globalNorm([a!]), 100) }), { a: inputs.a });
    expect(kept!.data[0]).toBe(1);
    expect(() => reference(({ a }) => ({ y: clipScale(globalNorm([a!]), 0) }), { a: inputs.a })).toThrow("maxNorm must be positive");
  });
});
