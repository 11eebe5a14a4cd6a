export { logMelSpectrogram, SAMPLE_RATE } from "./log-mel.ts";
export { resample } from "./resample.ts";
export { readWav, type Sound } from "./wav.ts";
