import { ReferenceDevice } from "@heddle/kernels";
import { describe, expect, it } from "vitest";
import type { Interactions } from "../interactions.ts";
import { fitEase } from "./ease.ts";
import { invert, multiplyHere } from "./inverse.ts";

const log = (histories: number[][], numItems: number): Interactions => ({ userIds: histories.map((_, i) => `u${i}`), itemIds: Array.from({ length: numItems }, (_, i) => `i${i}`), histories: histories.map((own) => Int32Array.from(own)) });

describe("invert", () => {
  it.each([1, 3, 256, 300])("a matrix of %d rows", async (size) => {
    // Diagonally dominant, so positive definite.
    const matrix = Float32Array.from({ length: size * size }, (_, i) => {
      const [row, column] = [Math.floor(i / size), i % size];
      return row === column ? 3 : Math.cos(row + column) / size;
    });
    const inverse = matrix.slice();
    await invert(inverse, size, multiplyHere);
    const product = multiplyHere(matrix, inverse, { rows: size, inner: size, columns: size }) as Float32Array;
    expect(product.reduce((worst, value, i) => Math.max(worst, Math.abs(value - (i % (size + 1) === 0 ? 1 : 0))), 0)).toBeLessThan(1e-5);
  });
});

describe("EASE", () => {
  it("by hand: two items that two of three users share", async () => {
    // XᵀX + I = [[3, 2], [2, 4]], its inverse [[4, -2], [-2, 3]] / 8: B = [[0, 2/3], [1/2, 0]].
    const train = log([[0, 1], [1, 0, 0], [1]], 2);
    const ease = await fitEase(train, { l2: 1 });
    expect([...(await ease.scoreAll([Int32Array.of(0), Int32Array.of(1, 1), Int32Array.of()]))]).toEqual([0, 2 / 3, 1 / 2, 0, 3, 3].map((value) => expect.closeTo(value, 5) as unknown));
  });

  it("sums the rows of a long history", async () => {
    const train = log([[0, 1, 2], [3, 4, 5], [0, 5, 6], [1, 6, 4], [2, 3]], 7);
    const ease = await fitEase(train, { l2: 3 });
    const alone = await ease.scoreAll([0, 1, 2, 3, 5].map((item) => Int32Array.of(item)));
    (await ease.scoreAll([Int32Array.of(5, 0, 1, 3, 2)])).forEach((score, item) => expect(score).toBeCloseTo([0, 1, 2, 3, 4].reduce((sum, row) => sum + alone[row * 7 + item]!, 0), 5));
  });

  it("is the same on a device", async () => {
    const train = log([[0, 1, 2], [1, 2], [3, 0], [4, 2, 1]], 5);
    using device = { device: new ReferenceDevice(), [Symbol.dispose]() { this.device.dispose(); } };
    const [here, there] = await Promise.all([fitEase(train, { l2: 2 }), fitEase(train, { l2: 2, device: device.device })]);
    const queries = [Int32Array.of(0, 3)];
    const expected = await here.scoreAll(queries);
    (await there.scoreAll(queries)).forEach((score, i) => expect(score).toBeCloseTo(expected[i]!, 5));
  });

  it("refuses more items than it can hold, and says what to do", async () => {
    await expect(fitEase(log([[0]], 6001))).rejects.toMatchObject({ code: "LIMIT_EXCEEDED", message: expect.stringContaining("minEventsPerItem") });
    await expect(fitEase(log([[0]], 2001))).rejects.toMatchObject({ code: "LIMIT_EXCEEDED", message: expect.stringContaining("pass a device") });
    await expect(fitEase(log([[0]], 2), { l2: 0 })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("has a catalogue of one item", async () => {
    expect([...(await (await fitEase(log([[0]], 1))).scoreAll([Int32Array.of(0)]))]).toEqual([0]);
  });
});
