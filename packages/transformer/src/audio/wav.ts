import { HeddleError } from "@heddle/kernels";

/** A sound: one channel, within −1 and 1. */
export interface Sound {
  readonly samples: Float32Array<ArrayBuffer>;
  readonly sampleRate: number;
}

const PCM = 1;
const FLOAT = 3;
const EXTENSIBLE = 0xfffe;

/** A WAV file's sound, its channels mixed into one: PCM of 8, 16, 24 or 32 bits, or 32-bit floats. Throws DATA_INVALID. */
export function readWav(bytes: Uint8Array, label = "wav"): Sound {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const name = (at: number) => String.fromCharCode(...bytes.subarray(at, at + 4));
  if (bytes.length < 12 || name(0) !== "RIFF" || name(8) !== "WAVE") throw invalid(label, "is no WAV file");
  let format: { code: number; channels: number; sampleRate: number; bits: number } | undefined;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const [id, size] = [name(at), view.getUint32(at + 4, true)];
    const begin = at + 8;
    if (id === "fmt ") {
      if (size < 16 || begin + size > bytes.length) throw invalid(label, "ends in the middle of its header");
      const code = view.getUint16(begin, true);
      format = { code: code === EXTENSIBLE && size >= 26 ? view.getUint16(begin + 24, true) : code, channels: view.getUint16(begin + 2, true), sampleRate: view.getUint32(begin + 4, true), bits: view.getUint16(begin + 14, true) };
    } else if (id === "data") {
      if (!format) throw invalid(label, "has no description of its sound before it");
      // Programs that write to a pipe leave the size open.
      return { samples: mixed(view, begin, Math.min(begin + size, bytes.length), format, label), sampleRate: format.sampleRate };
    }
    at = begin + size + (size % 2);
  }
  throw invalid(label, "has no sound in it");
}

function mixed(view: DataView, begin: number, end: number, { code, channels, sampleRate, bits }: { code: number; channels: number; sampleRate: number; bits: number }, label: string): Float32Array<ArrayBuffer> {
  const read = readerOf(view, code, bits);
  if (!read) throw invalid(label, `has samples in format ${code} with ${bits} bits; known are PCM of 8, 16, 24 and 32 bits and 32-bit floats`);
  if (channels < 1 || sampleRate < 1) throw invalid(label, `says that it has ${channels} channels at ${sampleRate} Hz`);
  const step = (bits / 8) * channels;
  const samples = new Float32Array(Math.floor((end - begin) / step));
  for (let i = 0; i < samples.length; i++) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) sum += read(begin + i * step + (channel * bits) / 8);
    samples[i] = sum / channels;
  }
  return samples;
}

function readerOf(view: DataView, code: number, bits: number): ((at: number) => number) | undefined {
  if (code === FLOAT && bits === 32) return (at) => view.getFloat32(at, true);
  if (code !== PCM) return undefined;
  if (bits === 8) return (at) => (view.getUint8(at) - 128) / 128;
  if (bits === 16) return (at) => view.getInt16(at, true) / 2 ** 15;
  if (bits === 24) return (at) => ((view.getUint8(at) << 8) | (view.getUint8(at + 1) << 16) | (view.getInt8(at + 2) << 24)) / 2 ** 31;
  return bits === 32 ? (at) => view.getInt32(at, true) / 2 ** 31 : undefined;
}

const invalid = (label: string, what: string) => new HeddleError("DATA_INVALID", `[${label}] ${what}: save the recording again as WAV, e.g. with ffmpeg -i RECORDING -ar 16000 -ac 1 RECORDING.wav`);
