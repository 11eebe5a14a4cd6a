import { ReferenceDevice } from "@heddle/kernels";
import { describe, expect, it } from "vitest";
import { areHere, golden as goldenFile } from "../real/files.ts";
import { readGoldenCase, type GoldenCase } from "./golden.ts";
import { runCase } from "./run-case.ts";

const folder = goldenFile("cases/distilbert-sequence");

/** The case with one number of one golden tensor moved. */
function altered(golden: GoldenCase, name: string, index: number, by: number): GoldenCase {
  const tensor = golden.tensors.get(name)!;
  const data = Float32Array.from(tensor.data);
  data[index]! += by;
  return { ...golden, tensors: new Map([...golden.tensors, [name, { ...tensor, data }]]) };
}

describe.runIf(areHere(folder))("runCase", () => {
  const device = new ReferenceDevice();

  it("passes a case and fails it where one number is off", async () => {
    const golden = await readGoldenCase(folder);
    expect(await runCase(device, golden)).toMatchObject({ name: "distilbert-sequence", pass: true, train: null, generate: null, reason: null });
    const logits = await runCase(device, altered(golden, "out.logits", 3, 1e-3));
    expect(logits).toMatchObject({ pass: false });
    expect(logits.reason).toMatch(/^out\.logits\[3\] is /);
    const gradient = await runCase(device, altered(golden, "grad.classifier.weight", 5, 1e-3));
    expect(gradient.pass).toBe(false);
    expect(gradient.reason).toMatch(/^grad\.classifier\.weight\[5\] is /);
    expect(gradient.forward).toBeLessThan(1e-5);
    expect((await runCase(device, { ...golden, modelClass: "DistilBertForMaskedLM" })).reason).toMatch(/case.json wants DistilBertForMaskedLM, the folder loads as DistilBertForSequenceClassification/);
    const written = { options: { max_new_tokens: 1, num_beams: 1 }, ids: [[1]] };
    expect((await runCase(device, { ...golden, generate: [written] })).reason).toMatch(/DistilBertForSequenceClassification\] writes no text/);
    expect((await runCase(device, { ...golden, folder: goldenFile("cases/gpt2-causal") })).reason).toMatch(/the folder loads as GPT2LMHeadModel/);
    expect(device.memory.currentBytes).toBe(0);
  });
});
