import { compile, gradients, hostTensor, mul, openDevice, ReferenceDevice, sum, type Device, type Tensor } from "@heddle/kernels";
import { afterAll, describe, expect, it } from "vitest";
import { configToJson, createConfig, parseConfig } from "../config/index.ts";
import { architectureFor } from "../models/architectures.ts";
import { createModel } from "../models/create.ts";
import type { Model } from "../models/model.ts";

const LENGTH = 6;
const ITEMS = 8;
const MASK = ITEMS + 1;
const sizes = { numItems: ITEMS, vocabSize: ITEMS + 2, hiddenSize: 8, numHiddenLayers: 2, numAttentionHeads: 2, maxPositionEmbeddings: LENGTH, initializerRange: 0.4 };
const families = {
  bert4rec: { modelType: "bert4rec", ...sizes, intermediateSize: 12 },
  hstu: { modelType: "hstu", ...sizes },
} as const;
type Family = keyof typeof families;

const reference = new ReferenceDevice("f64");
const devices = [await openDevice({ device: "cpu" }), await openDevice({ device: "webgpu" })];
afterAll(() => devices.forEach((device) => device.dispose()));
const modelOf = (family: Family, { device = reference, layers: numHiddenLayers = 2 }: { device?: Device; layers?: number } = {}): Model =>
  createModel(device, architectureFor(family, "next-item"), createConfig<Family>({ ...families[family], numHiddenLayers }), 5);

/** Scores of every row of the table at every place of histories, [histories, length, rows]. */
async function scoresOf(model: Model, histories: readonly (readonly number[])[], length = histories[0]!.length): Promise<number[][][]> {
  using compiled = compile(model.device, "scores", ({ inputIds }) => ({ logits: model.forward({ inputIds: inputIds! }).logits! }));
  const ids = histories.flatMap((history) => [...new Array<number>(length - history.length).fill(0), ...history]);
  const { data } = (await compiled.run({ inputIds: hostTensor(Int32Array.from(ids), [histories.length, length]) }))["logits"]!;
  const rows = ITEMS + 2;
  return histories.map((_, user) => Array.from({ length }, (_place, place) => Array.from(data.subarray((user * length + place) * rows, (user * length + place + 1) * rows))));
}

const last = async (model: Model, history: readonly number[], length?: number) => (await scoresOf(model, [history], length))[0]!.at(-1)!;
const distance = (a: readonly number[], b: readonly number[]) => Math.max(...a.map((score, i) => Math.abs(score - b[i]!)));

/** Half of the sines of 1, 2, 3 … in the order of parameters; norms' weights 1 more. */
function numbered(model: Model): Model {
  let next = 0;
  for (const [name, state] of model.parameters) {
    const count = state.type.shape.reduce((a, b) => a * b, 1);
    const shift = /norm\.weight$/i.test(name) ? 1 : 0;
    state.write(Float32Array.from({ length: count }, () => shift + Math.fround(0.5 * Math.sin(++next))));
  }
  return model;
}

describe.each(Object.keys(families) as Family[])("%s", (family) => {
  it("scores a history the same however far it is padded, and in another order differently", async () => {
    using model = modelOf(family);
    const scores = await last(model, [3, 7, 2], LENGTH);
    for (const length of [3, 4, 5]) expect(distance(await last(model, [3, 7, 2], length), scores)).toBeLessThan(1e-5);
    expect(distance(await last(model, [7, 3, 2]), scores)).toBeGreaterThan(1e-3);
    expect((await last(model, [], 2)).every(Number.isFinite)).toBe(true);
  });

  it(family === "bert4rec" ? "sees items on both sides" : "never sees a later item", async () => {
    using model = modelOf(family);
    const [[before], [after]] = [await scoresOf(model, [[3, 7, 2, 5, 1]]), await scoresOf(model, [[3, 7, 2, 4, 1]])];
    const moved = before!.map((scores, place) => distance(scores, after![place]!) > 1e-4);
    expect(moved).toEqual(before!.map((_, place) => family === "bert4rec" || place >= 3));
  });

  it("has the gradients of finite differences", async () => {
    using model = modelOf(family, { layers: 1 });
    const inputs = { inputIds: hostTensor(Int32Array.from([0, 4, 7, 2]), [1, 4]), weights: hostTensor(Float32Array.from({ length: 4 * (ITEMS + 2) }, (_, i) => Math.cos(1.7 * i)), [1, 4, ITEMS + 2]) };
    const states = [...model.parameters.values()];
    const loss = ({ inputIds, weights }: Record<string, Tensor>) => sum(mul(model.forward({ inputIds: inputIds! }).logits!, weights!));
    using backward = compile(reference, "gradients", (tensors) => Object.fromEntries(gradients(loss(tensors), states).map((gradient, i) => [states[i]!.name, gradient])));
    using forward = compile(reference, "loss", (tensors) => ({ loss: loss(tensors) }));
    const analytic = await backward.run(inputs);
    const values = (await reference.readStates(states)) as Float32Array[];
    for (const [i, state] of states.entries()) {
      // Padding's row learns nothing.
      const first = state.name === "item_embeddings.weight" ? sizes.hiddenSize : 0;
      const moved = [1 / 512, -1 / 512].map((step) => values[i]!.map((number, j) => (j < first ? number : number + step * Math.sin(3 * j + 1))));
      const losses: number[] = [];
      for (const data of moved) {
        state.write(data);
        losses.push((await forward.run(inputs))["loss"]!.data[0]!);
      }
      state.write(values[i]!);
      const wanted = values[i]!.reduce((total, _, j) => total + analytic[state.name]!.data[j]! * (moved[0]![j]! - moved[1]![j]!), 0);
      expect(losses[0]! - losses[1]!, state.name).toBeCloseTo(wanted, 4);
    }
  });

  it("is one model on every device", async () => {
    const run = async (device: Device) => {
      using model = modelOf(family, { device, layers: 1 });
      using compiled = compile(device, "both", ({ inputIds }) => {
        const logits = model.forward({ inputIds: inputIds! }).logits!;
        // BERT's gradients are those of ops that are tested on every device.
        const weights = family === "bert4rec" ? [] : [...model.parameters];
        return { logits, ...Object.fromEntries(gradients(sum(mul(logits, logits)), weights.map(([, state]) => state)).map((gradient, i) => [weights[i]![0], gradient])) };
      });
      return await compiled.run({ inputIds: hostTensor(Int32Array.from([0, 0, 4, 7, 2, 3, 1, 5]), [2, 4]) });
    };
    const wanted = await run(new ReferenceDevice());
    for (const device of devices) {
      for (const [output, { data }] of Object.entries(await run(device))) {
        const scale = Math.max(1, ...Array.from(wanted[output]!.data, Math.abs));
        expect(distance(Array.from(data), Array.from(wanted[output]!.data)) / scale, `${output} on ${device.description}`).toBeLessThan(1e-4);
      }
    }
  });

  it("keeps its configuration", () => {
    expect(parseConfig(JSON.parse(JSON.stringify(configToJson(createConfig<Family>({ ...families[family] })))) as object)).toMatchObject(families[family]);
    expect(createConfig<Family>({ modelType: family, numItems: 100, hiddenSize: 32 }).vocabSize).toBe(family === "bert4rec" ? 102 : 101);
  });
});

// What PyTorch gives in f64 for the same weights: torch.nn.TransformerEncoderLayer between the embeddings and equation 7, and the sums of
// HSTU's equations one by one.
const golden = {
  bert4rec: [
    { history: [3, 7, 2, MASK], scores: [1.26116, -0.91071, -1.33824, 0.61514, 0.76111, -0.58184, 0.08164, 1.03102, -0.54405, -1.52111] },
    { history: [4, MASK, 1, 8, 5, MASK], scores: [0.95477, 0.42984, -1.42195, -0.70105, 1.22783, 0.59853, -0.72857, 0.08642, 0.54104, -0.89227] },
  ],
  hstu: [
    { history: [3, 7, 2], scores: [-2.05461, 0.59306, 1.88203, -1.14073, -1.55008, 1.5918, 1.08686, -1.90807, -0.53161, 2.06277] },
    { history: [4, 1, 1, 9, 5], scores: [-2.39284, 2.52549, 1.65792, -3.00794, -0.78261, 3.23568, -0.15898, -3.18942, 1.0871, 2.87307] },
  ],
} as const;

it.each(Object.keys(golden) as Family[])("%s scores as PyTorch", async (family) => {
  using model = numbered(modelOf(family));
  for (const { history, scores } of golden[family]) expect(distance(await last(model, history, LENGTH), scores)).toBeLessThan(2e-5);
});

describe("configurations", () => {
  it("refuse what does not fit", () => {
    expect(() => parseConfig({ model_type: "bert4rec", num_items: 9, vocab_size: 10 })).toThrow("mask_token_id 10 is not a row between num_items 9 and vocab_size 10");
    expect(() => parseConfig({ model_type: "bert4rec", max_position_embeddings: 1 })).toThrow("a place for the item to be told");
    expect(() => parseConfig({ model_type: "hstu", num_items: 9, vocab_size: 9 })).toThrow("has no room for padding");
    expect(() => createConfig({ modelType: "hstu", hiddenSize: 9 })).toThrow("not divisible");
  });
});
