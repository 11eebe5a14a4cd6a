import { compile, gradients, hostTensor, openDevice, ReferenceDevice, type Device } from "@heddle/kernels";
import { afterAll, describe, expect, it } from "vitest";
import { largestDifference } from "./agreement.ts";
import { NanoGpt, NanoGptTraining, type NanoGptBatch } from "./nanogpt.ts";

const config = { vocabSize: 13, contextLength: 10, hiddenSize: 16, numLayers: 2, numHeads: 4 };
const [batchSize, length] = [3, 9];
const ids = Int32Array.from({ length: batchSize * length }, (_, i) => (i * i + 3 * i) % 13);
const batch: NanoGptBatch = {
  inputIds: hostTensor(ids, [batchSize, length]),
  labels: hostTensor(ids.map((_, i) => ((i + 1) % length === 0 ? -100 : ids[i + 1]!)), [batchSize, length]),
};
const options = { learningRate: 1e-2, weightDecay: 0.01, maxGradNorm: 1 };

async function lossesOf(device: Device, steps: number): Promise<number[]> {
  const model = new NanoGpt(device, config, 3);
  const training = new NanoGptTraining(model, options);
  const losses: number[] = [];
  for (let i = 0; i < steps; i++) losses.push(await training.run(batch));
  training.dispose();
  model.dispose();
  return losses;
}

async function gradientsOf(device: Device): Promise<Map<string, ArrayLike<number>>> {
  const model = new NanoGpt(device, config, 3);
  const parameters = [...model.parameters];
  using compiled = compile(device, "gradients", ({ inputIds, labels }) => {
    const grads = gradients(model.loss(inputIds!, labels!), parameters.map(([, state]) => state));
    return Object.fromEntries(parameters.map(([name], i) => [name, grads[i]!]));
  });
  const result = new Map(Object.entries(await compiled.run(batch)).map(([name, { data }]) => [name, data]));
  model.dispose();
  return result;
}

describe.each(["cpu", "webgpu"] as const)("nanoGPT on %s", async (kind) => {
  const [device, reference] = [await openDevice({ device: kind }), new ReferenceDevice()];
  afterAll(() => device.dispose());

  it("has the gradients that the reference device finds, for every parameter", async () => {
    const [actual, wanted] = [await gradientsOf(device), await gradientsOf(reference)];
    expect([...actual.keys()]).toEqual([...wanted.keys()]);
    expect(actual.size).toBe(2 + 12 * config.numLayers + 2);
    for (const [name, gradient] of wanted) {
      const scale = Math.max(...Array.from(gradient, Math.abs));
      expect(scale, name).toBeGreaterThan(1e-5);
      expect(largestDifference(actual.get(name)!, gradient) / scale, name).toBeLessThan(1e-4);
    }
  });

  it("learns a batch by heart, by the same losses as the reference device", async () => {
    const losses = await lossesOf(device, 40);
    expect(losses[0]).toBeCloseTo(Math.log(config.vocabSize), 0);
    expect(losses.at(-1)).toBeLessThan(losses[0]! / 3);
    const wanted = await lossesOf(reference, 10);
    wanted.forEach((loss, i) => expect(Math.abs(losses[i]! - loss) / loss, `loss ${i}`).toBeLessThan(1e-4));
  });

  it("lets no token see those after it", async () => {
    const model = new NanoGpt(device, config, 3);
    const forward = compile(device, "forward", ({ inputIds }) => ({ logits: model.forward(inputIds!) }));
    const logits = async (data: Int32Array) => (await forward.run({ inputIds: hostTensor(data, [1, length]) }))["logits"]!.data;
    const text = ids.slice(0, length);
    const changed = Int32Array.from(text, (id, i) => (i === 5 ? (id + 1) % 13 : id));
    const [before, after] = [await logits(text), await logits(changed)];
    const rowsThatMoved = Array.from({ length }, (_, row) => row).filter((row) => before.slice(row * 13, (row + 1) * 13).some((value, i) => value !== after[row * 13 + i]));
    expect(rowsThatMoved).toEqual([5, 6, 7, 8]);
    forward.dispose();
    model.dispose();
  });

  it("frees what it took", async () => {
    await lossesOf(device, 1);
    const before = device.memory.currentBytes;
    await lossesOf(device, 1);
    expect(device.memory.currentBytes).toBe(before);
  });
});
