import type { HostTensor } from "@heddle/kernels";

// The features that Whisper hears (Radford et al. 2022, section 2.2), as transformers' WhisperFeatureExtractor works them out.

export const SAMPLE_RATE = 16_000;
/** Samples in a frame's window, and from one frame to the next. */
const WINDOW = 400;
const HOP = 160;
const BINS = WINDOW / 2 + 1;

/** Decades of what is too soft to tell. */
const SILENCE = -10;
/** Decades below the loudest that still count. */
const RANGE = 8;

/**
 * Log-mel spectrogram, f32 [1, melBins, frames]: what is missing at the end is silence, what is too much is left out.
 *
 * @param samples mono at 16 kHz, within −1 and 1
 */
export function logMelSpectrogram(samples: Float32Array, { melBins, frames }: { melBins: number; frames: number }): HostTensor {
  const length = frames * HOP;
  const sound = new Float64Array(length + WINDOW);
  const at = (i: number) => (i < samples.length ? samples[i]! : 0);
  // The beginning and the end are mirrored, so that frames stand in the middle of their windows.
  for (let i = 0; i < sound.length; i++) {
    const place = Math.abs(i - WINDOW / 2);
    sound[i] = at(place < length ? place : 2 * (length - 1) - place);
  }
  const filters = melFilters(melBins);
  const mel = new Float64Array(melBins * frames);
  const power = new Float64Array(BINS);
  let loudest = -Infinity;
  for (let frame = 0; frame < frames; frame++) {
    if (frame * HOP > samples.length + WINDOW && frame < frames - 2) {
      // Nothing but silence. The last frames may mirror what comes before them.
      for (let bin = 0; bin < melBins; bin++) mel[bin * frames + frame] = SILENCE;
      loudest = Math.max(loudest, SILENCE);
      continue;
    }
    powerSpectrum(sound, frame * HOP, power);
    for (let bin = 0; bin < melBins; bin++) {
      const { first, weights } = filters[bin]!;
      let energy = 0;
      for (let i = 0; i < weights.length; i++) energy += weights[i]! * power[first + i]!;
      const decades = Math.max(Math.log10(energy), SILENCE);
      mel[bin * frames + frame] = decades;
      loudest = Math.max(loudest, decades);
    }
  }
  return { shape: [1, melBins, frames], data: Float32Array.from(mel, (decades) => (Math.max(decades, loudest - RANGE) + 4) / 4) };
}

const hann = Float64Array.from({ length: WINDOW }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / WINDOW));
const cosines = Float64Array.from({ length: WINDOW }, (_, i) => Math.cos((2 * Math.PI * i) / WINDOW));

/** |DFT|² of a windowed frame. A sample and its mirror image share their cosine and, but for the sign, their sine. */
function powerSpectrum(sound: Float64Array, begin: number, power: Float64Array): void {
  const half = WINDOW / 2;
  for (let i = 0; i <= half; i++) {
    const a = sound[begin + i]! * hann[i]!;
    const b = i === 0 || i === half ? 0 : sound[begin + WINDOW - i]! * hann[WINDOW - i]!;
    even[i] = a + b;
    odd[i] = i === 0 || i === half ? 0 : a - b;
  }
  for (let k = 0; k < BINS; k++) {
    let [real, imaginary] = [0, 0];
    for (let i = 0, angle = 0; i <= half; i++) {
      real += even[i]! * cosines[angle]!;
      imaginary += odd[i]! * cosines[angle >= 100 ? angle - 100 : angle + 300]!;
      angle += k;
      if (angle >= WINDOW) angle -= WINDOW;
    }
    power[k] = real * real + imaginary * imaginary;
  }
}

const even = new Float64Array(WINDOW / 2 + 1);
const odd = new Float64Array(WINDOW / 2 + 1);

interface MelFilter {
  readonly first: number;
  readonly weights: Float64Array;
}

/** Triangles of equal area, evenly spaced on Slaney's scale: linear up to 1 kHz, then logarithmic. */
function melFilters(count: number): readonly MelFilter[] {
  const [linear, step] = [200 / 3, Math.log(6.4) / 27];
  const toMel = (hertz: number) => (hertz < 1000 ? hertz / linear : 15 + Math.log(hertz / 1000) / step);
  const toHertz = (mel: number) => (mel < 15 ? mel * linear : 1000 * Math.exp((mel - 15) * step));
  const top = toMel(SAMPLE_RATE / 2);
  const corner = (i: number) => toHertz((i * top) / (count + 1));
  return Array.from({ length: count }, (_, i) => {
    const [low, middle, high] = [corner(i), corner(i + 1), corner(i + 2)];
    const weight = (bin: number) => {
      const hertz = (bin * SAMPLE_RATE) / WINDOW;
      return (Math.max(0, Math.min((hertz - low) / (middle - low), (high - hertz) / (high - middle))) * 2) / (high - low);
    };
    const all = Array.from({ length: BINS }, (_, bin) => weight(bin));
    const first = Math.max(0, all.findIndex((value) => value > 0));
    return { first, weights: Float64Array.from(all.slice(first, all.findLastIndex((value) => value > 0) + 1)) };
  });
}
