import { rotaryTable, type HostTensor } from "@heddle/kernels";
import { rotaryDims, type RotaryConfig, type RotaryScaling } from "../config/rotary.ts";

// Frequencies of rotary position embeddings, as transformers' modeling_rope_utils.py works them out.

type Scaled<T extends RotaryScaling["type"]> = Extract<RotaryScaling, { type: T }>;

/** The table for attention with heads of `headDim` over `length` positions, f32 [length, dims]. */
export function rotaryTableOf(config: RotaryConfig, headDim: number, length: number): HostTensor {
  const { scaling } = config;
  const factor = scaling.type === "yarn" || scaling.type === "longrope" ? scaling.attentionFactor : 1;
  return rotaryTable({ length, dims: rotaryDims(config, headDim), factor, frequencies: rotaryFrequencies(config, headDim, length) });
}

/**
 * Radians a position for each pair of elements.
 *
 * @param length of the text, or of the cache that it grows in: `dynamic` and `longrope` depend on it
 */
export function rotaryFrequencies(config: RotaryConfig, headDim: number, length: number): number[] {
  const { theta, maxPositionEmbeddings, scaling } = config;
  const dims = rotaryDims(config, headDim);
  const frequencies = powers(theta, dims);
  switch (scaling.type) {
    case "default":
      return frequencies;
    case "linear":
      return frequencies.map((frequency) => frequency / scaling.factor);
    case "dynamic": {
      const stretch = (scaling.factor * Math.max(length, maxPositionEmbeddings)) / maxPositionEmbeddings - (scaling.factor - 1);
      return powers(theta * stretch ** (dims / (dims - 2)), dims);
    }
    case "llama3":
      return frequencies.map((frequency) => llama3(frequency, scaling));
    case "yarn":
      return yarn(frequencies, theta, scaling);
    case "longrope": {
      const factors = length > scaling.originalMaxPositionEmbeddings ? scaling.longFactor : scaling.shortFactor;
      return frequencies.map((frequency, pair) => frequency / factors[pair]!);
    }
  }
}

const powers = (theta: number, dims: number) => Array.from({ length: dims / 2 }, (_, pair) => theta ** ((-2 * pair) / dims));

/** Long waves are stretched, short ones stay, and those between get some of both (Llama 3.1). */
function llama3(frequency: number, { factor, lowFreqFactor, highFreqFactor, originalMaxPositionEmbeddings }: Scaled<"llama3">): number {
  const waves = (originalMaxPositionEmbeddings * frequency) / (2 * Math.PI);
  const kept = Math.min(1, Math.max(0, (waves - lowFreqFactor) / (highFreqFactor - lowFreqFactor)));
  return ((1 - kept) * frequency) / factor + kept * frequency;
}

/** "NTK-by-parts" of Peng et al. 2023 (arXiv:2309.00071), section 3.2. */
function yarn(frequencies: readonly number[], theta: number, { factor, originalMaxPositionEmbeddings, betaFast, betaSlow, truncate }: Scaled<"yarn">): number[] {
  const dims = 2 * frequencies.length;
  /** The pair that turns so many times in the original context. */
  const pairOf = (rotations: number) => (dims * Math.log(originalMaxPositionEmbeddings / (rotations * 2 * Math.PI))) / (2 * Math.log(theta));
  const [first, last] = [pairOf(betaFast), pairOf(betaSlow)];
  const low = Math.max(truncate ? Math.floor(first) : first, 0);
  const high = Math.min(truncate ? Math.ceil(last) : last, dims - 1);
  const span = low === high ? 0.001 : high - low;
  return frequencies.map((frequency, pair) => {
    const stretched = Math.min(1, Math.max(0, (pair - low) / span));
    return (frequency / factor) * stretched + frequency * (1 - stretched);
  });
}
