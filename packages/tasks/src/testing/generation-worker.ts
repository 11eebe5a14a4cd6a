import { openDevice, ReferenceDevice } from "@heddle/kernels";
import { architectureFor, configToJson, createConfig, createModel, encodeSafetensors, statesToWrite, trainByteLevelBpe } from "@heddle/transformer";
import { TextGenerator } from "../text-generation/generator.ts";

/** What a page asks of the worker: a text of so many tokens, or that it stops, or that it closes. */
export type Request = { readonly type: "write"; readonly prompt: string; readonly tokens: number } | { readonly type: "stop" } | { readonly type: "close" };

/** What it hears: pieces of the text, its end with what it was stopped by, or the bytes that are still held. */
export type Answer = { readonly type: "ready" } | { readonly type: "piece"; readonly text: string } | { readonly type: "end"; readonly code: string | undefined } | { readonly type: "closed"; readonly heldBytes: number };

const answer = (message: Answer) => postMessage(message);

const tokenizer = await trainByteLevelBpe(["the parcel was late and the box was broken"], { vocabSize: 290 });
const config = createConfig({ modelType: "llama", vocabSize: tokenizer.vocabSize, hiddenSize: 32, numHiddenLayers: 2, numAttentionHeads: 2, intermediateSize: 48, maxPositionEmbeddings: 256, initializerRange: 0.7, eosTokenIds: [] });
const model = createModel(new ReferenceDevice(), architectureFor("llama", "causal-lm"), config, 6);
const weights: Uint8Array<ArrayBuffer>[] = [];
for await (const piece of encodeSafetensors(statesToWrite(model.parameters))) weights.push(Uint8Array.from(piece));
const files = {
  "config.json": new Blob([JSON.stringify(configToJson({ ...config, architectures: ["LlamaForCausalLM"] }))]),
  "model.safetensors": new Blob(weights),
  "tokenizer.json": new Blob([JSON.stringify(tokenizer.tokenizerJson)]),
};

const device = await openDevice({ device: "webgpu" });
const heldBefore = device.memory.currentBytes;
const generator = await TextGenerator.fromPretrained(files, { device });
let stop = new AbortController();

addEventListener("message", ({ data }: MessageEvent<Request>) => {
  if (data.type === "stop") stop.abort();
  else if (data.type === "write") void write(data.prompt, data.tokens);
  else {
    generator.dispose();
    answer({ type: "closed", heldBytes: device.memory.currentBytes - heldBefore });
  }
});

async function write(prompt: string, tokens: number): Promise<void> {
  stop = new AbortController();
  let code: string | undefined;
  try {
    for await (const { text } of generator.stream(prompt, { maxNewTokens: tokens, signal: stop.signal })) {
      answer({ type: "piece", text });
      // Messages come in between two tokens.
      await new Promise((resolve) => setTimeout(resolve));
    }
  } catch (error) {
    code = (error as { code?: string }).code;
  }
  answer({ type: "end", code });
}

answer({ type: "ready" });
