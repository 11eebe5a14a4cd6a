import { readFileSync, statSync } from "node:fs";
import { compile, hostTensor, openDevice, slice } from "@heddle/kernels";
import { generate, loadModel, openFileSource, openModelFolder, SafetensorsReader, tokenizerOf, type LoadDtype } from "@heddle/transformer";
import { describe, expect, it } from "vitest";
import { apart, largest } from "./apart.ts";
import { areHere, data, fetched } from "./files.ts";

interface Golden {
  readonly cases: readonly { readonly prompt: string; readonly input_ids: number[]; readonly greedy_ids: number[]; readonly margins: number[] }[];
}

const file = fetched("gemma3/gemma-3-270m-q4_k_m.gguf");
const golden = data("checkpoints/gemma-3-270m/golden");

/** Where the two best logits are nearer than this, rounding may choose the other. */
const CLOSE = 0.02;

/** What a greedy text is sure of. */
const sure = (margins: readonly number[]) => {
  const close = margins.findIndex((margin) => margin < CLOSE);
  return close < 0 ? margins.length : close;
};

describe.runIf(areHere(file, `${golden}.json`))("Gemma 3 270M, from its GGUF file", () => {
  it.each<LoadDtype>(["float32", "quantized"])("gives Python's logits and texts, its weights as %s", async (dtype) => {
    const { cases } = JSON.parse(readFileSync(`${golden}.json`, "utf8")) as Golden;
    const logits = await SafetensorsReader.open(await openFileSource(`${golden}.safetensors`));
    const device = await openDevice({ device: "webgpu" });
    await using folder = await openModelFolder(file);
    const tokenizer = tokenizerOf(folder);
    const { model, missing, unexpected } = await loadModel(device, folder, { dtype });
    expect([missing, unexpected]).toEqual([[], []]);
    using last = compile(device, "last", ({ inputIds }) => ({ logits: slice(model.forward({ inputIds: inputIds! }).logits!, { axis: 1, begin: -1 }) }));
    for (const [i, { prompt, input_ids: ids, greedy_ids: greedy, margins }] of cases.entries()) {
      expect(tokenizer.encode(prompt).ids).toEqual(ids);
      const { data: wanted } = await logits.read([...logits.entries.keys()].find((key) => key.includes(String(i)) && key.includes("logits"))!);
      const { data: found } = (await last.run({ inputIds: hostTensor(Int32Array.from(ids), [1, ids.length]) })).logits!;
      expect(apart(wanted, found)).toBeLessThan(2e-3 * largest(wanted));
      const tokens: number[] = [];
      for await (const { token } of generate(model, [ids], { maxNewTokens: sure(margins), eosTokenIds: [] })) tokens.push(token);
      expect(tokens).toEqual(greedy.slice(0, sure(margins)));
    }
    if (dtype === "quantized") expect(device.memory.peakBytes).toBeLessThan(1.4 * statSync(file).size);
    model.dispose();
    await logits.close();
    device.dispose();
  }, 600_000);
});
