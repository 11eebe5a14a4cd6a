import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "..");
const readme = readFileSync(join(root, "README.md"), "utf8");
const samples = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1]!);

/** The sample that contains these words. */
function sampleWith(words: string): string {
  const found = samples.filter((sample) => sample.includes(words));
  expect(found, `samples with "${words}"`).toHaveLength(1);
  return found[0]!;
}

/** A folder with the user's data. */
function userFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "heddle-readme-"));
  const rows = readFileSync(join(root, "examples/data/reviews.csv"), "utf8").split("\n").slice(0, 61);
  writeFileSync(join(folder, "reviews.csv"), rows.join("\n"));
  return folder;
}

/**
 * Runs a sample as a user would have it: a file of its own.
 *
 * @param beside a package that depends on what the sample imports; the benchmarks depend on all of ours
 */
function runSample(code: string, folder: string, beside = "benchmarks"): { output: string; printed: string; status: number | null } {
  const file = join(root, beside, `.readme-${process.pid}.ts`);
  writeFileSync(file, code);
  try {
    const run = spawnSync(process.execPath, ["--conditions=@heddle/source", "--import", join(root, "node_modules/tsx/dist/esm/index.mjs"), file], { cwd: folder, encoding: "utf8", env: { ...process.env, XDG_CACHE_HOME: folder } });
    return { output: run.stdout + run.stderr, printed: run.stdout, status: run.status };
  } finally {
    rmSync(file);
  }
}

/** Writes a decoder of random weights, whose texts are noise. */
const TINY_DECODER = `
import { ReferenceDevice } from "@heddle/kernels";
import { architectureFor, createConfig, createModel, saveModel, trainByteLevelBpe } from "@heddle/transformer";
const tokenizer = await trainByteLevelBpe(["The parcel was late. Thank you for writing, dear customer."], { vocabSize: 280 });
const config = createConfig({ modelType: "llama", vocabSize: tokenizer.vocabSize, hiddenSize: 16, numHiddenLayers: 1, numAttentionHeads: 2, intermediateSize: 24, maxPositionEmbeddings: 96, eosTokenIds: [tokenizer.specialTokenId("sep")!] });
await saveModel(createModel(new ReferenceDevice(), architectureFor("llama", "causal-lm"), config, 1), "story-model", { tokenizer: tokenizer.tokenizerJson, tokenizerConfig: tokenizer.tokenizerConfig });
`;

describe("README", () => {
  it("trains, saves and answers in ten lines, answers in int8, and in transformers.js", { timeout: 240_000 }, () => {
    const folder = userFolder();
    for (const [words, beside] of [["TextClassifier.fit"], ["int8: true"], ["exportPretrained", "packages/tasks"]] as const) {
      const { output, status } = runSample(sampleWith(words), folder, beside);
      expect(status, output).toBe(0);
      expect(output).toMatch(/label: '(positive|negative)', score: 0\.\d+/);
    }
    for (const file of ["model/model.safetensors", "onnx-model/onnx/model_quantized.onnx"]) expect(existsSync(join(folder, file)), file).toBe(true);
    rmSync(folder, { recursive: true });
  });

  it("writes texts", { timeout: 120_000 }, () => {
    const folder = userFolder();
    const made = runSample(TINY_DECODER, folder);
    expect(made.status, made.output).toBe(0);
    const { printed, output, status } = runSample(sampleWith("generator.stream"), folder);
    expect(status, output).toBe(0);
    expect(printed.match(/finishReason: '(length|stop)'/g)).toHaveLength(2);
    const held = runSample(sampleWith("z.object"), folder, "packages/tasks");
    expect(held.status, held.output).toBe(0);
    expect(held.printed).toMatch(/\{ late: (true|false), days: \d+ \}/);
    rmSync(folder, { recursive: true });
  });

  it("recommends", { timeout: 240_000 }, () => {
    const folder = userFolder();
    const wardrobe = ["shirt-7", "belt-2", "shoes-1", "hat-3", "sock-9", "coat-4"];
    const clicks = Array.from({ length: 40 }, (_, user) => wardrobe.map((_, i) => `user-${user},${wardrobe[(user + i) % wardrobe.length]},2026-11-${10 + i}T08:00:00Z`)).flat();
    writeFileSync(join(folder, "clicks.csv"), ["user,item,time", ...clicks].join("\n"));
    const { output, printed, status } = runSample(sampleWith("describeInteractions"), folder);
    expect(status, output).toBe(0);
    expect(printed).toContain("shoes-1, because you looked at ");
    expect(existsSync(join(folder, "shop-model/model.safetensors"))).toBe(true);
    writeFileSync(join(folder, "items.csv"), ["item,kind,price", ...wardrobe.map((item, i) => `${item},${item.split("-")[0]},${20 + 10 * i}`), "shoes-9,shoes,90"].join("\n"));
    const live = runSample(sampleWith("openJournal"), folder);
    expect(live.status, live.output).toBe(0);
    expect(live.printed.match(/itemId: '/g), live.output).toHaveLength(3);
    expect(existsSync(join(folder, "shop-live"))).toBe(true);
    rmSync(folder, { recursive: true });
  });

  it("fits a line with a program of its own", { timeout: 120_000 }, () => {
    const folder = userFolder();
    const { output, printed, status } = runSample(sampleWith("assign(w"), folder);
    expect(status, output).toBe(0);
    expect(Number(printed.trim().split("\n").at(-1))).toBeLessThan(1e-3);
    rmSync(folder, { recursive: true });
  });

  it("tunes and profiles a product", { timeout: 120_000 }, () => {
    const folder = userFolder();
    const { output, printed, status } = runSample(sampleWith("tune: \"full\""), folder);
    expect(status, output).toBe(0);
    expect(printed).toMatch(/label: 'matmul\/[^']+',\s+calls: 1,\s+ms: [\d.]+/);
    rmSync(folder, { recursive: true });
  });

  it("names only npm scripts that exist", () => {
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: Record<string, string> };
    for (const [, name] of readme.matchAll(/npm run ([\w:-]+)/g)) expect(Object.keys(scripts)).toContain(name);
  });

  it("links only to files that exist", () => {
    for (const [, target] of readme.matchAll(/\]\((?!https?:)([^)#]+)\)/g)) expect(existsSync(join(root, target!)), target).toBe(true);
  });
});
