/** A stretch of a recording, in samples. */
export interface Utterance {
  readonly begin: number;
  readonly end: number;
}

const FRAME_SECONDS = 0.02;
/** A pause this long ends an utterance. */
const PAUSE_SECONDS = 0.5;
/** Kept before an utterance and after it, as speech begins softly and ends more softly still. */
const LEAD_SECONDS = 0.1;
const TAIL_SECONDS = 0.45;
/** Below the loudest frames by this factor of power, and near the quietest ones, is no speech. */
const SPEECH_SHARE = 1e-4;
const NOISE_FACTOR = 4;

/**
 * Where somebody speaks: stretches of at most `maxSeconds`, cut in pauses where there are any, else where it is quietest. Nothing but
 * pauses lies between them.
 */
export function findUtterances(samples: Float32Array, sampleRate: number, maxSeconds: number): Utterance[] {
  const frame = Math.round(FRAME_SECONDS * sampleRate);
  const power = Array.from({ length: Math.ceil(samples.length / frame) }, (_, i) => meanPower(samples, i * frame, Math.min(samples.length, (i + 1) * frame)));
  const sorted = power.toSorted((a, b) => a - b);
  const quantile = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
  const threshold = Math.max(quantile(0.95) * SPEECH_SHARE, Math.min(quantile(0.1) * NOISE_FACTOR, quantile(0.95) * 0.05), 1e-10);
  const [pause, lead, tail, longest] = [PAUSE_SECONDS, LEAD_SECONDS, TAIL_SECONDS, maxSeconds].map((seconds) => Math.floor(seconds / FRAME_SECONDS)) as [number, number, number, number];
  const found: { begin: number; end: number }[] = [];
  power.forEach((level, i) => {
    if (level < threshold) return;
    const last = found.at(-1);
    if (last && i - last.end < pause) last.end = i + 1;
    else found.push({ begin: i, end: i + 1 });
  });
  const padded = found.map(({ begin, end }, i) => ({ begin: Math.max(begin - lead, found[i - 1]?.end ?? 0), end: Math.min(end + tail, found[i + 1]?.begin ?? power.length) }));
  return padded.flatMap((one) => cut(one, power, longest)).map(({ begin, end }) => ({ begin: begin * frame, end: Math.min(end * frame, samples.length) }));
}

/** Pieces of at most `longest` frames, each cut in the quietest place of its last third. */
function cut({ begin, end }: Utterance, power: readonly number[], longest: number): Utterance[] {
  const pieces: Utterance[] = [];
  let start = begin;
  while (end - start > longest) {
    let at = start + longest;
    for (let i = start + longest; i > start + Math.floor((2 * longest) / 3); i--) if (power[i]! < power[at]!) at = i;
    pieces.push({ begin: start, end: at });
    start = at;
  }
  return [...pieces, { begin: start, end }];
}

function meanPower(samples: Float32Array, begin: number, end: number): number {
  let sum = 0;
  for (let i = begin; i < end; i++) sum += samples[i]! ** 2;
  return sum / Math.max(1, end - begin);
}
