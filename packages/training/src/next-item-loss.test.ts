import { compile, gradients, hostTensor, ReferenceDevice, type Tensor } from "@heddle/kernels";
import { describe, expect, it } from "vitest";
import { gbceExponent, nextItemLoss, type NextItemLoss } from "./next-item-loss.ts";

const device = new ReferenceDevice();
const numbers = (count: number, phase: number) => Float32Array.from({ length: count }, (_, i) => Math.sin(1 + phase + 2.7 * i));

// Two users of three places, vectors of 2, a table of 6 rows.
const hidden = hostTensor(numbers(12, 0), [2, 3, 2]);
const weight = hostTensor(numbers(12, 5), [6, 2]);
const bias = hostTensor(numbers(6, 9), [6]);
const labels = hostTensor(Int32Array.of(4, 2, -100), [3]);
const labelPlaces = hostTensor(Int32Array.of(1, 5, 0), [3]);
const negatives = hostTensor(Int32Array.of(3, 2, 5, 3), [4]);

const score = (place: number, item: number) => hidden.data[2 * place]! * weight.data[2 * item]! + hidden.data[2 * place + 1]! * weight.data[2 * item + 1]!;
const softplus = (x: number) => Math.log1p(Math.exp(x));
const logSumExp = (scores: number[]) => Math.log(scores.reduce((total, one) => total + Math.exp(one), 0));
const labelled = [[1, 4], [5, 2]] as const;
const drawnFor = (item: number) => [3, 2, 5, 3].filter((negative) => negative !== item);
const mean = (of: (place: number, item: number) => number) => labelled.reduce((total, [place, item]) => total + of(place, item), 0) / labelled.length;

async function lossOf(loss: NextItemLoss, { places = true, biased = false } = {}): Promise<number> {
  const all = hostTensor(Int32Array.of(-100, 4, -100, -100, -100, 2), [2, 3]);
  using compiled = compile(device, "loss", (inputs) => {
    const { hidden: h, weight: w, bias: b, labels: l, labelPlaces: at, negatives: n } = inputs as Record<"hidden" | "weight" | "labels" | "negatives", Tensor> & { labelPlaces?: Tensor; bias?: Tensor };
    const value = nextItemLoss({ hidden: h, weight: w, ...(b && { bias: b }) }, { labels: l, ...(at && { labelPlaces: at }), negatives: n }, { loss });
    return { value, gradient: gradients(value, [w])[0]! };
  });
  const { value, gradient } = await compiled.run({ hidden, weight, labels: places ? labels : all, ...(places && { labelPlaces }), ...(biased && { bias }), negatives });
  expect(gradient!.data.every(Number.isFinite)).toBe(true);
  return value!.data[0]!;
}

describe("nextItemLoss", () => {
  it("softmax: against all items, at the places that have a label", async () => {
    const wanted = mean((place, item) => logSumExp([0, 1, 2, 3, 4, 5].map((one) => score(place, one))) - score(place, item));
    expect(await lossOf({ type: "softmax" })).toBeCloseTo(wanted, 5);
    expect(await lossOf({ type: "softmax" }, { places: false })).toBeCloseTo(wanted, 5);
  });

  it("sampled softmax: each drawn item stands for many, one that came stands for none", async () => {
    const wanted = mean((place, item) => logSumExp([score(place, item), ...drawnFor(item).map((one) => score(place, one) + Math.log(8 / 4))]) - score(place, item));
    expect(await lossOf({ type: "sampled-softmax", numItems: 8 })).toBeCloseTo(wanted, 5);
  });

  it("bce and gbce: yes for what came, no for what was drawn", async () => {
    const wanted = (exponent: number) => {
      const logit = (place: number, item: number) => score(place, item) - Math.log(4 / exponent);
      return mean((place, item) => exponent * softplus(-logit(place, item)) + drawnFor(item).reduce((total, one) => total + softplus(logit(place, one)), 0));
    };
    expect(await lossOf({ type: "bce" })).toBeCloseTo(wanted(1), 5);
    expect(await lossOf({ type: "gbce", exponent: 0.4 })).toBeCloseTo(wanted(0.4), 5);
    expect([gbceExponent(256, 12101, 0), gbceExponent(256, 12101, 1)]).toEqual([1, 256 / 12100]);
  });

  it("knows a number of each item's own", async () => {
    const own = (place: number, item: number) => score(place, item) + bias.data[item]!;
    const softmax = mean((place, item) => logSumExp([0, 1, 2, 3, 4, 5].map((one) => own(place, one))) - own(place, item));
    expect(await lossOf({ type: "softmax" }, { biased: true })).toBeCloseTo(softmax, 5);
    const logit = (place: number, item: number) => own(place, item) - Math.log(4);
    const bce = mean((place, item) => softplus(-logit(place, item)) + drawnFor(item).reduce((total, one) => total + softplus(logit(place, one)), 0));
    expect(await lossOf({ type: "bce" }, { biased: true })).toBeCloseTo(bce, 5);
  });

  it("wants drawn items where it is about them", () => {
    expect(() => compile(device, "none", ({ h, w, l }) => ({ y: nextItemLoss({ hidden: h!, weight: w! }, { labels: l! }, { loss: { type: "bce" } }) })).program({ h: { dtype: "f32", shape: [2, 3, 2] }, w: { dtype: "f32", shape: [6, 2] }, l: { dtype: "i32", shape: [2, 3] } })).toThrow("bce wants negatives");
  });
});
