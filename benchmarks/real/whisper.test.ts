import { readFileSync } from "node:fs";
import { compile, openDevice } from "@heddle/kernels";
import { readWav, SpeechRecognizer } from "@heddle/tasks";
import { EncodedSource, generate, loadModel, logMelSpectrogram, openFileSource, SafetensorsReader, splitInputs } from "@heddle/transformer";
import { describe, expect, it } from "vitest";
import { apart, largest } from "./apart.ts";
import { areHere, data, fetched } from "./files.ts";

interface Golden {
  readonly cases: readonly { readonly file: string; readonly greedy_ids: number[]; readonly text: string }[];
}

const folder = fetched("whisper-tiny.en");
const golden = data("checkpoints/whisper-tiny.en/golden");
const RATE = 16_000;

const samplesOf = (file: string) => readWav(readFileSync(data(`speech/${file}`))).samples;
const features = (samples: Float32Array) => logMelSpectrogram(samples, { melBins: 80, frames: 3000 });

/** Share of the words of `wanted` that are in `text`. */
function sharedWords(text: string, wanted: string): number {
  const words = new Set(text.split(/\W+/));
  const all = wanted.trim().split(/\W+/);
  return all.filter((word) => words.has(word)).length / all.length;
}

describe.runIf(areHere(folder, `${golden}.json`))("Whisper tiny.en", () => {
  const { cases } = areHere(`${golden}.json`) ? (JSON.parse(readFileSync(`${golden}.json`, "utf8")) as Golden) : { cases: [] };

  it("hears as Python's does: log-mel features, the encoder's states, and every token", async () => {
    const device = await openDevice({ device: "cpu" });
    const wanted = await SafetensorsReader.open(await openFileSource(`${golden}.safetensors`));
    const mel = features(samplesOf("speech0.wav"));
    expect(apart((await wanted.read("log_mel")).data, mel.data)).toBeLessThan(1e-4);
    const { model } = await loadModel(device, folder);
    using encode = compile(device, "encode", (inputs) => ({ states: model.forward(splitInputs(inputs).inputs).encoder!.lastHiddenState }));
    const { data: states } = (await encode.run({ inputFeatures: mel, decoderInputIds: { shape: [1, 1], data: Int32Array.of(50257) } })).states!;
    const { data: first } = await wanted.read("encoder_last_hidden_state");
    expect(apart(first, states)).toBeLessThan(2e-3 * largest(first));
    const choices = JSON.parse(readFileSync(`${folder}/generation_config.json`, "utf8")) as { suppress_tokens: number[]; begin_suppress_tokens: number[] };
    for (const { file, greedy_ids: ids } of cases) {
      using source = await EncodedSource.encode(model, { inputFeatures: features(samplesOf(file)) });
      const tokens: number[] = [];
      for await (const { token, finishReason } of generate(model, [[50257, 50362]], { maxNewTokens: ids.length + 1, suppressTokens: choices.suppress_tokens, beginSuppressTokens: choices.begin_suppress_tokens }, { source })) if (finishReason !== "stop") tokens.push(token);
      expect(tokens, file).toEqual(ids);
    }
    model.dispose();
    await wanted.close();
    device.dispose();
  }, 300_000);

  it("writes five minutes down whole, with times", async () => {
    const spoken = cases.map(({ file }) => samplesOf(file));
    const parts: Float32Array[] = [];
    const begins: number[] = [];
    let length = 0;
    const add = (samples: Float32Array) => {
      parts.push(samples);
      length += samples.length;
    };
    while (length < 300 * RATE) {
      begins.push(length / RATE);
      add(spoken[(begins.length - 1) % spoken.length]!);
      add(new Float32Array((1 + (begins.length % 3)) * RATE));
    }
    const samples = new Float32Array(length);
    let at = 0;
    for (const part of parts) {
      samples.set(part, at);
      at += part.length;
    }
    using recognizer = await SpeechRecognizer.fromPretrained(folder, { device: "cpu" });
    const { segments } = await recognizer.transcribe({ samples, sampleRate: RATE });
    expect(segments).toHaveLength(begins.length);
    // Cut out of a recording an utterance begins some milliseconds earlier or later, and the model is unsure of a word of these voices.
    segments.forEach(({ text }, i) => expect(sharedWords(text, cases[i % cases.length]!.text), text).toBeGreaterThan(0.7));
    segments.forEach(({ startSeconds }, i) => expect(Math.abs(startSeconds - begins[i]!)).toBeLessThan(0.5));
  }, 600_000);
});
