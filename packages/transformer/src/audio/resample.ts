import type { Sound } from "./wav.ts";

/** Zero crossings of the sine on each side. */
const LOBES = 16;

/** The sound at another rate, by a windowed sinc: without what the lower of the two rates cannot hold. */
export function resample({ samples, sampleRate }: Sound, wanted: number): Float32Array<ArrayBuffer> {
  if (sampleRate === wanted) return samples;
  const cut = Math.min(1, wanted / sampleRate);
  const reach = LOBES / cut;
  const result = new Float32Array(Math.floor((samples.length * wanted) / sampleRate));
  for (let i = 0; i < result.length; i++) {
    const middle = (i * sampleRate) / wanted;
    let [sum, total] = [0, 0];
    for (let j = Math.max(0, Math.ceil(middle - reach)); j <= Math.min(samples.length - 1, Math.floor(middle + reach)); j++) {
      const x = (j - middle) * cut;
      const weight = (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x)) * (0.5 + 0.5 * Math.cos((Math.PI * x) / LOBES));
      sum += weight * samples[j]!;
      total += weight;
    }
    result[i] = total === 0 ? 0 : sum / total;
  }
  return result;
}
