import { describe, expect, it } from "vitest";
import { labelsOf } from "./labels.ts";
import { fineTuneRecipe, maxLengthFor, scratchRecipe, tokenizerRecipe } from "./recipe.ts";
import { evaluationReport } from "./report.ts";
import { holdOut } from "./split.ts";

const row = (label: string | number, text = "x") => ({ text, label });

it("labels keep numeric order where all are numbers, else that of their characters", () => {
  expect(labelsOf([row(10), row("9"), row("0"), row(-1.5), row(9)])).toEqual(["-1.5", "0", "9", "10"]);
  expect(labelsOf([row("10"), row("9"), row("b"), row("B")])).toEqual(["10", "9", "B", "b"]);
});

describe("holdOut", () => {
  const rows = Array.from({ length: 205 }, (_, i) => row(i < 200 ? `l${i % 2}` : i < 204 ? "few" : "one", `${i}`));

  it("holds out a tenth of each label, at least one of two, none of one", () => {
    const { trainRows, evalRows } = holdOut(rows, 1);
    const count = (label: string) => evalRows.filter((held) => held.label === label).length;
    expect([count("l0"), count("l1"), count("few"), count("one")]).toEqual([10, 10, 1, 0]);
    expect([...trainRows, ...evalRows].sort((a, b) => Number(a.text) - Number(b.text))).toEqual(rows);
  });

  it("depends on the seed alone", () => {
    expect(holdOut(rows, 1)).toEqual(holdOut([...rows], 1));
    expect(holdOut(rows, 2)).not.toEqual(holdOut(rows, 1));
  });

  it("holds out 2,000 rows at most, and picks every row equally often", () => {
    const many = Array.from({ length: 30_000 }, (_, i) => row(i % 2));
    expect(holdOut(many, 1).evalRows.length).toBe(2000);
    const small = Array.from({ length: 20 }, (_, i) => row(i < 10 ? "a" : "b", `${i}`));
    const hits = new Array<number>(20).fill(0);
    for (let seed = 0; seed < 2000; seed++) for (const { text } of holdOut(small, seed).evalRows) hits[Number(text)]!++;
    // 200 expected a row, standard deviation 13.4.
    for (const count of hits) expect(Math.abs(count - 200)).toBeLessThan(5 * 13.4);
  });
});

it("the recipe follows the size of the data", () => {
  expect(tokenizerRecipe({ numTexts: 67_349, numCharacters: 3_500_000, ideographShare: 0 })).toEqual({ vocabSize: 8192, splitIdeographs: true });
  expect(tokenizerRecipe({ numTexts: 9_600, numCharacters: 1_000_000, ideographShare: 0.8 })).toEqual({ vocabSize: 16_384, splitIdeographs: false });
  expect(tokenizerRecipe({ numTexts: 400, numCharacters: 20_000, ideographShare: 0.8 }).splitIdeographs).toBe(true);
  expect(maxLengthFor([...new Array<number>(98).fill(20), 90, 100], { longest: 256 })).toBe(24);
  expect(maxLengthFor([3], { longest: 256 })).toBe(16);
  expect(maxLengthFor(new Array<number>(10).fill(900), { longest: 128 })).toBe(128);
  expect(scratchRecipe({ numRows: 900, numTokens: 30_000 }).arguments).toMatchObject({ numTrainEpochs: 8, perDeviceTrainBatchSize: 16 });
  expect(scratchRecipe({ numRows: 67_349, numTokens: 900_000 })).toMatchObject({ arguments: { numTrainEpochs: 2, perDeviceTrainBatchSize: 64 }, numHiddenLayers: 2, maskTokenProbability: 0 });
  expect(scratchRecipe({ numRows: 9_600, numTokens: 600_000 })).toMatchObject({ arguments: { numTrainEpochs: 5, perDeviceTrainBatchSize: 32 }, numHiddenLayers: 1, maskTokenProbability: 0.25 });
  expect(fineTuneRecipe({ numRows: 900, numTokens: 30_000 })).toMatchObject({ numTrainEpochs: 3, learningRate: 5e-5 });
});

it("a report counts unknown labels as wrong", () => {
  const report = evaluationReport(["a", "b"], [row("a"), row("b"), row("c")], ["a", "a", "b"]);
  expect(report.accuracy).toBeCloseTo(1 / 3, 12);
  expect(report.confusion).toEqual({ labels: ["a", "b", "c"], counts: [[1, 0, 0], [1, 0, 0], [0, 1, 0]] });
  expect(report.perClass.map(({ label, f1, support }) => [label, f1, support])).toEqual([["a", 2 / 3, 1], ["b", 0, 1], ["c", 0, 1]]);
  expect(report.warnings.map(({ code }) => code)).toEqual(["LABEL_NEVER_TRAINED"]);
});
