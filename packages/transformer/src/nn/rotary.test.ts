import { describe, expect, it } from "vitest";
import { parseRotary } from "../config/rotary.ts";
import { rotaryFrequencies, rotaryTableOf } from "./rotary.ts";

const parse = (rope: object) => parseRotary({ rope_theta: 10_000, ...rope }, { headDim: 16, maxPositionEmbeddings: 64, theta: 1 });

/** Rope parameters, length, and what transformers 5.24's ROPE_INIT_FUNCTIONS give for them, with the attention factor. */
const cases: [name: string, rope: object, length: number, frequencies: number[], factor: number][] = [
  ["linear", { rope_type: "linear", factor: 4 }, 10, [0.25, 0.07905694, 0.025, 0.007905695, 0.0025, 0.0007905695, 0.00025, 7.905695e-5], 1],
  ["dynamic", { rope_type: "dynamic", factor: 2 }, 100, [1, 0.2839451, 0.08062484, 0.02289303, 0.006500365, 0.001845747, 0.0005240909, 0.0001488131], 1],
  ["dynamic, of a short text", { rope_type: "dynamic", factor: 2 }, 10, [1, 0.3162278, 0.1, 0.03162278, 0.01, 0.003162278, 0.001, 0.0003162278], 1],
  ["llama3", { rope_type: "llama3", factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 32 }, 10, [1, 0.09583998, 0.0125, 0.003952847, 0.00125, 0.0003952847, 0.000125, 3.952847e-5], 1],
  ["yarn", { rope_type: "yarn", factor: 4, original_max_position_embeddings: 16 }, 10, [1, 0.07905694, 0.025, 0.007905695, 0.0025, 0.0007905695, 0.00025, 7.905695e-5], 1.138629436111989],
  ["yarn, all options", { rope_type: "yarn", factor: 4, original_max_position_embeddings: 16, truncate: false, beta_fast: 8, beta_slow: 0.5, mscale: 0.7, mscale_all_dim: 1.1 }, 10, [1, 0.1484903, 0.025, 0.007905695, 0.0025, 0.0007905695, 0.00025, 7.905695e-5], 0.9518853439550599],
  ["longrope", { rope_type: "longrope", original_max_position_embeddings: 16, short_factor: [1, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7], long_factor: [2, 3, 4, 5, 6, 7, 8, 9] }, 16, [1, 0.2874798, 0.08333334, 0.02432521, 0.007142857, 0.002108185, 0.000625, 0.0001860163], 1.224744871391589],
  ["longrope, of a long text", { type: "su", original_max_position_embeddings: 16, short_factor: [1, 1, 1, 1, 1, 1, 1, 1], long_factor: [2, 3, 4, 5, 6, 7, 8, 9] }, 20, [0.5, 0.1054092, 0.025, 0.006324556, 0.001666667, 0.000451754, 0.000125, 3.513642e-5], 1.224744871391589],
];

describe("rotary frequencies", () => {
  it.each(cases)("%s, as transformers has them", (_, rope, length, frequencies, factor) => {
    const config = parse(rope);
    rotaryFrequencies(config, 16, length).forEach((frequency, pair) => expect(Math.abs(frequency / frequencies[pair]! - 1), `pair ${pair}`).toBeLessThan(1e-6));
    expect(rotaryTableOf(config, 16, length).data[0]).toBeCloseTo(factor, 6);
  });

  it("turn a part of each head where the configuration says so", () => {
    expect(rotaryTableOf(parse({ partial_rotary_factor: 0.25 }), 16, 3).shape).toEqual([3, 4]);
    expect(() => parse({ partial_rotary_factor: 0.2 })).toThrow(/3 to turn, which are not pairs/);
    expect(() => parse({ rope_type: "spiral" })).toThrow(/"spiral" is not known, known are default, linear/);
    expect(() => parse({ rope_type: "linear" })).toThrow(/rope type linear has no factor/);
    expect(() => parse({ rope_type: "longrope", original_max_position_embeddings: 16, short_factor: [1], long_factor: [1] })).toThrow(/want 8 numbers each/);
  });
});
