import { compile, ReferenceDevice, type HostTensor } from "@heddle/kernels";
import { describe, expect, it } from "vitest";
import { resolveOptions, type GenerationOptions } from "./options.ts";
import { pickOf } from "./pick.ts";
import { uniform } from "./random.ts";

const device = new ReferenceDevice();
const vocabulary = 700;
const logits = Array.from({ length: vocabulary }, (_, i) => 3 * Math.sin(i * 1.7) + Math.cos(i * 0.31));

/** Tokens drawn for so many rows of the same scores. */
async function drawn(options: GenerationOptions, rows: number): Promise<number[]> {
  const { choose } = pickOf(resolveOptions({ temperature: 1, ...options }));
  const draws: HostTensor = { shape: [rows, 1], data: Float32Array.from({ length: rows }, (_, row) => uniform(3, 0, row)) };
  using compiled = compile(device, "pick", ({ scores, ...inputs }) => choose(scores!, inputs));
  const { temperature = 1, topP, minP } = options;
  const inputs = { scores: { shape: [rows, vocabulary], data: Float32Array.from({ length: rows * vocabulary }, (_, i) => logits[i % vocabulary]!) }, draws, temperature, ...(topP !== undefined && { topP }), ...(minP !== undefined && { minP }) };
  return Array.from((await compiled.run(inputs))["token"]!.data);
}

/** The same by sorting: what may be drawn, and where in the order of tokens each draw falls. */
function wanted({ temperature = 1, topK, topP, minP }: GenerationOptions, rows: number): number[] {
  let weights = logits.map((value) => Math.exp(value / temperature));
  const keep = (kept: ReadonlySet<number>) => (weights = weights.map((weight, i) => (kept.has(i) ? weight : 0)));
  const order = () => weights.map((_, i) => i).sort((a, b) => weights[b]! - weights[a]!);
  if (topK !== undefined) keep(new Set(order().slice(0, topK)));
  if (topP !== undefined) {
    const total = weights.reduce((a, b) => a + b, 0);
    const kept = new Set<number>();
    let sum = 0;
    for (const i of order()) {
      if (sum >= topP * total) break;
      kept.add(i);
      sum += weights[i]!;
    }
    keep(kept);
  }
  if (minP !== undefined) keep(new Set(weights.flatMap((weight, i) => (weight >= minP * Math.max(...weights) ? [i] : []))));
  const total = weights.reduce((a, b) => a + b, 0);
  return Array.from({ length: rows }, (_, row) => {
    const target = uniform(3, 0, row) * total;
    let sum = 0;
    for (const [i, weight] of weights.entries()) if ((sum += weight) >= target) return i;
    return -1;
  });
}

describe("a drawn token", () => {
  const cases: GenerationOptions[] = [{}, { temperature: 0.3 }, { temperature: 2 }, { topK: 7 }, { topP: 0.6 }, { topP: 0.999 }, { minP: 0.2 }, { topK: 50, topP: 0.8, minP: 0.05, temperature: 1.4 }];
  it.each(cases)("with %o is where the draw falls among the tokens that may be", async (options) => {
    const rows = 80;
    const [actual, right] = [await drawn(options, rows), wanted(options, rows)];
    // Sums in f32 may put a draw at a boundary into the next token.
    expect(actual.filter((token, row) => token !== right[row]).length).toBeLessThanOrEqual(2);
  });

  it("is never one that may not be", async () => {
    const allowed = new Set(wanted({ topK: 3 }, 150));
    expect((await drawn({ topK: 3 }, 150)).every((token) => allowed.has(token))).toBe(true);
  });
});

it("uniform numbers are in (0, 1], and spread evenly", () => {
  const values = Array.from({ length: 20_000 }, (_, i) => uniform(1, Math.floor(i / 100), i % 100));
  expect(values.every((value) => value > 0 && value <= 1)).toBe(true);
  for (let tenth = 0; tenth < 10; tenth++) expect(Math.abs(values.filter((value) => Math.min(9, Math.floor(value * 10)) === tenth).length / 20_000 - 0.1)).toBeLessThan(0.01);
});
