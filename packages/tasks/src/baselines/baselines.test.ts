import { describe, expect, it } from "vitest";
import { minimize } from "./lbfgs.ts";
import { fitMajority } from "./majority.ts";
import { ngrams } from "./ngrams.ts";
import { fitTfidfLogisticRegression } from "./tfidf-logistic-regression.ts";

const texts = ["Good phone, good price", "bad screen and bad sound", "good sound", "not good, returned it", "服务很好", "服务很差 bad", "ok", "it is ok, nothing more", "ok ok 还行"];
const rowsOf = (labels: string) => labels.split(" ").map((label, i) => ({ text: texts[i]!, label }));
const questions = ["good screen", "很差", "unseen words", "ok"];

describe("TF-IDF with logistic regression", () => {
  // scikit-learn 1.9.1: TfidfVectorizer(sublinear_tf=True) on the same features, LogisticRegression(C=10, tol=1e-10).
  it.each([
    ["two", "pos neg pos neg pos neg pos neg pos", [[0.421588, 0.578412], [0.691463, 0.308537], [0.441631, 0.558369], [0.141716, 0.858284]]],
    ["three", "pos neg pos neg pos neg mid mid mid", [[0.130621, 0.385086, 0.484293], [0.137776, 0.696117, 0.166108], [0.2798, 0.365135, 0.355065], [0.894943, 0.052411, 0.052646]]],
  ])("gives scikit-learn's probabilities for %s classes", (_, labels, expected) => {
    const model = fitTfidfLogisticRegression(rowsOf(labels));
    model.predictProba(questions).forEach((scores, row) => scores.forEach((score, id) => expect(score).toBeCloseTo(expected[row]![id]!, 3)));
    expect(model.evaluate(rowsOf(labels)).accuracy).toBe(1);
  });

  it("answers a text without any known feature, and an empty one", () => {
    const model = fitTfidfLogisticRegression(rowsOf("a b a b a b a b a"));
    expect(model.predict(["", "???"])).toEqual(["a", "a"]);
  });
});

it("ngrams splits words, and characters where there are no spaces", () => {
  expect(ngrams("It's GOOD 很好吃 ok")).toEqual(["it", "s", "it s", "good", "s good", "很", "很好", "很好吃", "好", "好吃", "吃", "ok"]);
});

it("minimize finds the minimum of an ill-conditioned quadratic", () => {
  const scales = [1, 10, 100, 1000];
  const minimum = minimize(
    (x, gradient) => {
      x.forEach((value, i) => (gradient[i] = scales[i]! * (value - i)));
      return x.reduce((total, value, i) => total + 0.5 * scales[i]! * (value - i) ** 2, 0);
    },
    new Float64Array(4),
    { tolerance: 1e-9, maxIterations: 200 },
  );
  minimum.forEach((value, i) => expect(value).toBeCloseTo(i, 8));
});

it("the majority baseline answers the most frequent label, and refuses a single class", () => {
  const baseline = fitMajority(rowsOf("b a b a b c b c b"));
  expect(baseline.predict(["x", "y"])).toEqual(["b", "b"]);
  expect(baseline.evaluate(rowsOf("a a a a a a b b b")).accuracy).toBeCloseTo(1 / 3, 12);
  expect(() => fitMajority(rowsOf("a a a a a a a a a"))).toThrow(expect.objectContaining({ code: "ONE_CLASS_ONLY" }));
});
