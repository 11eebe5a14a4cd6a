import { describe, expect, it } from "vitest";
import { logMelSpectrogram } from "./log-mel.ts";
import { resample } from "./resample.ts";
import { readWav } from "./wav.ts";

const tone = (hertz: number, sampleRate: number, seconds: number) => Float32Array.from({ length: Math.round(sampleRate * seconds) }, (_, i) => 0.5 * Math.sin((2 * Math.PI * hertz * i) / sampleRate));

interface WavFormat {
  readonly code: number;
  readonly bits: number;
  readonly channels?: number;
  readonly sampleRate?: number;
}

/** A WAV file with a chunk that nobody asked for before its sound. */
function wav(data: readonly number[], { code, bits, channels = 1, sampleRate = 8000 }: WavFormat): Uint8Array {
  const bytes = new Uint8Array(44 + 10 + data.length);
  const view = new DataView(bytes.buffer);
  const text = (at: number, value: string) => bytes.set(new TextEncoder().encode(value), at);
  text(0, "RIFF");
  view.setUint32(4, bytes.length - 8, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, code, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, sampleRate, true);
  view.setUint16(34, bits, true);
  text(36, "LIST");
  view.setUint32(40, 1, true);
  text(46, "data");
  view.setUint32(50, data.length, true);
  bytes.set(data, 54);
  return bytes;
}

describe("readWav", () => {
  it.each<[WavFormat, number[], number[]]>([
    [{ code: 1, bits: 8 }, [0, 128, 192], [-1, 0, 0.5]],
    [{ code: 1, bits: 16 }, [0, 128, 0, 64], [-1, 0.5]],
    [{ code: 1, bits: 24 }, [0, 0, 128, 0, 0, 32], [-1, 0.25]],
    [{ code: 1, bits: 32 }, [0, 0, 0, 128, 0, 0, 0, 64], [-1, 0.5]],
    [{ code: 3, bits: 32 }, [...new Uint8Array(Float32Array.of(0.125, -0.5).buffer)], [0.125, -0.5]],
    [{ code: 1, bits: 16, channels: 2 }, [0, 64, 0, 0, 0, 64, 0, 64], [0.25, 0.5]],
  ])("reads %o", (format, data, samples) => {
    expect(readWav(wav(data, format))).toEqual({ samples: Float32Array.from(samples), sampleRate: 8000 });
  });

  it("says what is wrong with others", () => {
    expect(() => readWav(new TextEncoder().encode("ID3 and then an MP3"), "song.mp3")).toThrow(/\[song.mp3\] is no WAV file: save the recording again as WAV, e.g. with ffmpeg/);
    expect(() => readWav(wav([1, 2], { code: 85, bits: 16 }))).toThrow(/format 85 with 16 bits/);
    expect(() => readWav(wav([1, 2], { code: 1, bits: 16, channels: 0 }))).toThrow(/0 channels/);
    for (let length = 0; length < 60; length++) {
      const cut = wav([1, 2, 3, 4], { code: 1, bits: 16 }).subarray(0, length);
      try {
        expect(readWav(cut).samples.length).toBeLessThanOrEqual(2);
      } catch (error) {
        expect(error).toMatchObject({ code: "DATA_INVALID" });
      }
    }
  });
});

it("resample keeps what both rates can hold, and nothing else", () => {
  const level = (samples: Float32Array) => Math.sqrt(samples.subarray(500, -500).reduce((sum, x) => sum + x * x, 0) / (samples.length - 1000));
  const down = resample({ samples: tone(440, 44100, 0.5), sampleRate: 44100 }, 16000);
  const same = tone(440, 16000, 0.5);
  expect(down.length).toBe(same.length);
  for (let i = 500; i < 7500; i++) expect(Math.abs(down[i]! - same[i]!)).toBeLessThan(2e-3);
  expect(level(resample({ samples: tone(12000, 44100, 0.5), sampleRate: 44100 }, 16000))).toBeLessThan(2e-3);
  expect(level(resample({ samples: tone(440, 8000, 0.5), sampleRate: 8000 }, 16000))).toBeCloseTo(0.5 / Math.SQRT2, 2);
});

describe("logMelSpectrogram", () => {
  it("has a tone in the bins around its pitch, and silence elsewhere", () => {
    const { shape, data } = logMelSpectrogram(tone(1000, 16000, 1), { melBins: 80, frames: 200 });
    expect(shape).toEqual([1, 80, 200]);
    const column = (frame: number) => Array.from({ length: 80 }, (_, bin) => data[bin * 200 + frame]!);
    const loudest = column(50).indexOf(Math.max(...column(50)));
    // Slaney's scale: 15 mel at 1 kHz, of 45.245 up to 8 kHz over 81 steps.
    expect(Math.abs(loudest - (15 / 45.245) * 81 + 1)).toBeLessThanOrEqual(1);
    // Eight decades below the loudest is as soft as it gets, and a decade is a quarter.
    expect(Math.max(...column(50)) - Math.min(...data)).toBeCloseTo(2, 5);
    expect(new Set(column(150))).toEqual(new Set([Math.min(...data)]));
  });

  it("of nothing is the same everywhere", () => {
    expect(new Set(logMelSpectrogram(new Float32Array(0), { melBins: 8, frames: 20 }).data).size).toBe(1);
  });
});
