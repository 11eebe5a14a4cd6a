import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ReferenceDevice } from "@heddle/kernels";
import { architectureFor, createConfig, createModel, saveModel, trainByteLevelBpe } from "@heddle/transformer";
import { afterAll, describe, expect, it } from "vitest";
import { SpeechRecognizer } from "./recognizer.ts";
import { findUtterances } from "./utterances.ts";

const device = new ReferenceDevice();
const folder = await mkdtemp(join(tmpdir(), "heddle-whisper-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Half a second of two-second windows, so that long recordings come in many. */
const tokenizer = await trainByteLevelBpe(["some words that were said"], { vocabSize: 270 });
{
  const config = createConfig({ modelType: "whisper", vocabSize: tokenizer.vocabSize, hiddenSize: 8, numHiddenLayers: 1, numEncoderLayers: 1, numAttentionHeads: 2, numEncoderAttentionHeads: 2, intermediateSize: 12, encoderIntermediateSize: 12, maxPositionEmbeddings: 10, numMelBins: 8, maxSourcePositions: 100, padTokenId: 0, eosTokenIds: [1], decoderStartTokenId: 2, initializerRange: 0.5 });
  using model = createModel(device, architectureFor("whisper", "seq2seq-lm"), config, 3);
  await saveModel(model, folder, { tokenizer: tokenizer.tokenizerJson, tokenizerConfig: tokenizer.tokenizerConfig });
  await writeFile(join(folder, "generation_config.json"), JSON.stringify({ suppress_tokens: [5], is_multilingual: false }));
}

/** Speech as a stretch of noise-like sound, pauses as silence: lengths in seconds, in turns. */
function recording(...seconds: number[]): Float32Array<ArrayBuffer> {
  const parts = seconds.map((length, i) => Float32Array.from({ length: Math.round(length * 16000) }, (_, at) => (i % 2 === 0 ? 0.3 * Math.sin(at * 0.37) * Math.sin(at * 0.011) : 0.0001 * Math.sin(at))));
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

describe("findUtterances", () => {
  const spans = (samples: Float32Array, longest = 30) => findUtterances(samples, 16000, longest).map(({ begin, end }) => [begin / 16000, end / 16000] as const);

  it("are what lies between pauses, with a little of them", () => {
    const found = spans(recording(1, 1, 2, 0.2, 1, 2, 0.5));
    expect(found).toHaveLength(3);
    [[0, 1.45], [1.9, 5.65], [7.1, 7.7]].forEach(([begin, end], i) => {
      expect(Math.abs(found[i]![0] - begin!)).toBeLessThan(0.06);
      expect(Math.abs(found[i]![1] - end!)).toBeLessThan(0.06);
    });
  });

  it("are no longer than they may be, and leave nothing out", () => {
    const found = spans(recording(7), 2);
    expect(found.every(([begin, end]) => end - begin <= 2)).toBe(true);
    expect([found[0]![0], found.at(-1)![1]]).toEqual([0, 7]);
    found.slice(1).forEach(([begin], i) => expect(begin).toBe(found[i]![1]));
    expect(spans(new Float32Array(16000))).toEqual([]);
    expect(spans(new Float32Array(0))).toEqual([]);
  });
});

describe("SpeechRecognizer", () => {
  it("writes each utterance with its times, the same each time, and frees what it held", async () => {
    const before = device.memory.currentBytes;
    const recognizer = await SpeechRecognizer.fromPretrained(folder, { device });
    const sound = { samples: recording(0.5, 1, 0.7, 1, 0.4), sampleRate: 16000 };
    const progress: number[] = [];
    const first = await recognizer.transcribe(sound, { onProgress: ({ doneSeconds }) => progress.push(doneSeconds) });
    expect(progress).toHaveLength(3);
    expect(await recognizer.transcribe(sound)).toEqual(first);
    for (const { text, startSeconds, endSeconds } of first.segments) expect([text.length > 0, startSeconds < endSeconds]).toEqual([true, true]);
    expect(first.text).toBe(first.segments.map(({ text }) => text).join(" "));
    expect((await recognizer.transcribe({ samples: new Float32Array(8000), sampleRate: 16000 })).segments).toEqual([]);
    const stop = new AbortController();
    stop.abort();
    await expect(recognizer.transcribe(sound, { signal: stop.signal })).rejects.toMatchObject({ code: "ABORTED" });
    recognizer.dispose();
    expect(device.memory.currentBytes).toBe(before);
  });
});
