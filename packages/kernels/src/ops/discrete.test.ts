import { afterAll, describe, expect, it } from "vitest";
import type { Gpu } from "../device/gpu.ts";
import { compile, hostTensor } from "../program/compile.ts";
import type { TracedFunction } from "../program/trace.ts";
import { checkForward, expectClose, randomTensor } from "../testing/check.ts";
import { testDevice } from "../testing/devices.ts";
import { WebGpuDevice } from "../webgpu/device.ts";
import { ReferenceDevice } from "../reference/device.ts";
import { scatterAdd } from "./embedding/op.ts";
import { adamW } from "./optimizer/adamw.ts";
import { globalNorm } from "./optimizer/global-norm.ts";

// Kernels that a software adapter is not given, on whatever adapter there is.

const { gpu } = (await testDevice()) as WebGpuDevice;
const device = new WebGpuDevice(Object.create(gpu, { profile: { value: { ...gpu.profile, kind: "discrete" } } }) as Gpu);
afterAll(() => device.workspace.release(device));

describe("on a discrete GPU", () => {
  const scatter = (rows: number): TracedFunction => ({ ids, updates }) => ({ y: scatterAdd(ids!, updates!, rows) });
  const ids = (count: number, below: number) => hostTensor(Int32Array.from({ length: count }, (_, i) => ((Math.imul(i + 3, 2654435761) >>> 8) % below) - 2));

  it.each([[1, 3, 4], [300, 7, 5], [300, 400, 8], [1030, 65, 12], [512, 2, 3]])("scatterAdd groups %i tokens of %i ids, some outside, with %i features", async (count, below, features) => {
    await checkForward(device, scatter(below), { ids: ids(count, below + 4), updates: randomTensor([count, features], 4) });
  });

  it("scatterAdd adds up more tokens than it groups at once", async () => {
    const count = 8192 + 300;
    using compiled = compile(device, "scatter", scatter(9));
    const { y } = await compiled.run({ ids: hostTensor(Int32Array.from({ length: count }, (_, i) => i % 9)), updates: hostTensor(new Float32Array(2 * count).fill(1), [count, 2]) });
    expect([...y!.data]).toEqual(Array.from({ length: 18 }, (_, i) => Math.ceil((count - Math.floor(i / 2)) / 9)));
  });

  it("globalNorm adds up squares by workgroup", async () => {
    const inputs = { a: randomTensor([3, 5], 1), b: randomTensor([130, 132], 3), c: randomTensor([0, 4], 4), d: randomTensor([300, 301], 5, 3) };
    await checkForward(device, (tensors) => ({ norm: globalNorm(Object.values(tensors)) }), inputs, 1e-6);
  });

  it("adamW updates many tensors", async () => {
    const shapes = [[3], [70, 70], [4096], [1]];
    const results: ArrayLike<number>[][] = [];
    for (const on of [device, new ReferenceDevice()]) {
      const make = (kind: string) => on.createStates(shapes.map((shape, i) => ({ name: `${kind}${i}`, type: { dtype: "f32", shape } })));
      const [parameters, firsts, seconds] = [make("p"), make("m"), make("v")];
      parameters!.forEach((state, i) => state.write(randomTensor(shapes[i]!, i).data));
      using step = compile(on, "step", (gradients) => {
        parameters!.forEach((parameter, i) => adamW({ parameter, gradient: gradients[`g${i}`]!, firstMoment: firsts![i]!, secondMoment: seconds![i]!, learningRate: 0.1, biasCorrection1: 0.5, biasCorrection2: 0.5 }));
        return {};
      });
      const states = [...parameters!, ...firsts!, ...seconds!];
      const gradients = Object.fromEntries(shapes.map((shape, i) => [`g${i}`, randomTensor(shape, 10 + i)]));
      for (let t = 0; t < 3; t++) await step.run(gradients);
      results.push(await on.readStates(states));
      step.dispose();
      for (const state of states) state.dispose();
    }
    results[0]!.forEach((data, i) => expectClose(data, results[1]![i]!, 1e-5, `state ${i}`));
  });
});
