import { describe, expect, it } from "vitest";
import { classificationMetrics, confusionMatrix, multiLabelMetrics } from "./classification.ts";

const labels = [0, 0, 0, 1, 1, 2, 2, 2, 2, 2];
const predictions = [0, 0, 1, 1, 2, 2, 2, 2, 0, 1];

describe("classificationMetrics", () => {
  it("equals numbers worked out by hand", () => {
    const { accuracy, macro, micro, perClass, confusion, notes } = classificationMetrics(labels, predictions, 3);
    expect(confusion).toEqual([[2, 1, 0], [0, 1, 1], [1, 1, 3]]);
    expect(accuracy).toBe(0.6);
    expect(perClass[0]).toEqual({ precision: 2 / 3, recall: 2 / 3, f1: 2 / 3, support: 3 });
    expect(perClass[1]).toEqual({ precision: 1 / 3, recall: 1 / 2, f1: 2 / 5, support: 2 });
    expect(perClass[2]).toEqual({ precision: 3 / 4, recall: 3 / 5, f1: 2 / 3, support: 5 });
    expect(macro.precision).toBeCloseTo((2 / 3 + 1 / 3 + 3 / 4) / 3, 12);
    expect(macro.recall).toBeCloseTo((2 / 3 + 1 / 2 + 3 / 5) / 3, 12);
    expect(macro.f1).toBeCloseTo((2 / 3 + 2 / 5 + 2 / 3) / 3, 12);
    expect(micro).toEqual({ precision: 0.6, recall: 0.6, f1: 0.6 });
    expect(notes).toEqual([]);
  });

  it("gives 0 and a note for what has no rows, and leaves absent classes out of the macro average", () => {
    const { macro, perClass, notes } = classificationMetrics([0, 0, 1], [0, 0, 0], 3, ["good", "bad", "mixed"]);
    expect(perClass[1]).toEqual({ precision: 0, recall: 0, f1: 0, support: 1 });
    expect(perClass[2]).toEqual({ precision: 0, recall: 0, f1: 0, support: 0 });
    expect(macro.recall).toBe(0.5);
    expect(notes).toEqual(["bad was never predicted: its precision is 0 by convention", "mixed has no rows: its recall is 0 by convention", "mixed was never predicted: its precision is 0 by convention"]);
  });

  it("leaves ignored labels out and refuses what does not fit", () => {
    expect(classificationMetrics([-100, 1], [0, 1], 2).accuracy).toBe(1);
    expect(classificationMetrics([], [], 2).accuracy).toBe(0);
    expect(() => confusionMatrix([0], [0, 1], 2)).toThrow(/1 labels and 2 predictions/);
    expect(() => confusionMatrix([0], [2], 2)).toThrow(/row 0 has label 0 and prediction 2/);
    expect(() => confusionMatrix([5], [0], 2)).toThrow(/outside of 2 classes/);
  });
});

it("multiLabelMetrics equals numbers worked out by hand", () => {
  const { accuracy, micro, macro, perClass } = multiLabelMetrics([1, 0, 1, 0, 1, 1], [1, 0, 0, 0, 1, 1], 3);
  expect(accuracy).toBe(0.5);
  expect(micro).toEqual({ precision: 1, recall: 3 / 4, f1: 6 / 7 });
  expect(perClass[2]).toEqual({ precision: 1, recall: 1 / 2, f1: 2 / 3, support: 2 });
  expect(macro.f1).toBeCloseTo((1 + 1 + 2 / 3) / 3, 12);
});
