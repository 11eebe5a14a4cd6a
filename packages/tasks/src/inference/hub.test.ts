import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ReferenceDevice } from "@heddle/kernels";
import { AutoModelForCausalLM, AutoTokenizer, type LoadProgress } from "@heddle/transformer";
import { FakeHub, writeTinyDecoder } from "@heddle/tasks/testing";
import { afterAll, beforeAll, expect, it } from "vitest";
import { pipeline } from "../pipeline.ts";
import { TextGenerator } from "../text-generation/generator.ts";

const device = new ReferenceDevice();
const folder = await writeTinyDecoder();
const cacheFolder = await mkdtemp(join(tmpdir(), "heddle-hub-"));
let hub: FakeHub;
let files: Record<string, Uint8Array>;

beforeAll(async () => {
  hub = await FakeHub.start();
  files = Object.fromEntries(await Promise.all((await readdir(folder)).map(async (name) => [name, await readFile(join(folder, name))] as const)));
  hub.push("org/tiny", files);
});
afterAll(async () => {
  await hub.close();
  await rm(folder, { recursive: true, force: true });
  await rm(cacheFolder, { recursive: true, force: true });
});

it("models of the hub load wherever folders do", async () => {
  const options = { endpoint: hub.endpoint, cacheFolder, device };
  const progress: LoadProgress[] = [];
  using generator = await TextGenerator.fromPretrained("org/tiny", { ...options, onProgress: (one) => progress.push(one) });
  using local = await TextGenerator.fromPretrained(folder, { device });
  expect(await generator.generate("the parcel", { maxNewTokens: 4 })).toEqual(await local.generate("the parcel", { maxNewTokens: 4 }));
  using half = await TextGenerator.fromPretrained("org/tiny", { ...options, dtype: "float16" });
  expect((await half.generate("the parcel", { maxNewTokens: 4 })).tokens).toHaveLength(4);
  expect(new Set(progress.map(({ type }) => type))).toEqual(new Set(["download", "tensors"]));
  using model = await AutoModelForCausalLM.fromPretrained("org/tiny", options);
  expect([model.architecture.name, (await AutoTokenizer.fromPretrained("org/tiny", options)).encode("late").ids.length]).toEqual(["LlamaForCausalLM", expect.any(Number)]);
  const embed = await pipeline("feature-extraction", "org/tiny", options);
  expect((await embed("late")).length).toBeGreaterThan(0);
  embed.dispose();
});

it("what cannot work is refused before weights are downloaded", async () => {
  const config = JSON.parse(new TextDecoder().decode(files["config.json"])) as object;
  const withConfig = (name: string, more: object) => hub.push(name, { ...files, "config.json": JSON.stringify({ ...config, ...more }) });
  withConfig("org/alien", { model_type: "alien" });
  withConfig("org/wider", { hidden_size: 32, head_dim: 16 });
  hub.seen.length = 0;
  const load = (id: string, on: ReferenceDevice = device) => AutoModelForCausalLM.fromPretrained(id, { endpoint: hub.endpoint, cacheFolder: join(cacheFolder, id), device: on });
  await expect(load("org/alien")).rejects.toMatchObject({ code: "MODEL_TYPE_UNKNOWN" });
  expect(hub.downloads()).not.toContain("model.safetensors");
  await expect(load("org/wider")).rejects.toMatchObject({ code: "WEIGHTS_MISMATCH" });
  const small = Object.assign(new ReferenceDevice(), { capacity: { stateBytes: 10_000, totalBytes: 1e9 } });
  await expect(load("org/tiny", small)).rejects.toMatchObject({ code: "LIMIT_EXCEEDED", message: expect.stringMatching(/model.embed_tokens.weight \[\d+, 16\] takes 1 MB, a buffer of reference interpreter.* at most 1 MB/) as string });
  const tiny = Object.assign(new ReferenceDevice(), { capacity: { stateBytes: Infinity, totalBytes: 20_000 } });
  await expect(load("org/tiny", tiny)).rejects.toMatchObject({ code: "OUT_OF_MEMORY" });
});

it("models are pushed to the hub, and come back the same", async () => {
  using model = await AutoModelForCausalLM.fromPretrained(folder, { device });
  const options = { endpoint: hub.endpoint, token: hub.token };
  const sent: string[] = [];
  const { commit, url } = await model.pushToHub("org/mine", { ...options, private: true, commitTitle: "The first", onProgress: ({ file, sentBytes, totalBytes }) => void (sentBytes === totalBytes && sent.push(file)) });
  expect([url, sent]).toEqual([`${hub.endpoint}/org/mine/commit/${commit}`, ["model.safetensors"]]);
  using back = await AutoModelForCausalLM.fromPretrained("org/mine", { ...options, cacheFolder, device, revision: commit });
  expect(await device.readStates([...back.parameters.values()])).toEqual(await device.readStates([...model.parameters.values()]));
  await model.pushToHub("org/mine", { ...options, revision: "half" });
  await expect(model.pushToHub("org/mine", { endpoint: hub.endpoint })).rejects.toMatchObject({ code: "HUB_ACCESS_DENIED", message: expect.stringContaining("without a token") as string });
  await expect(model.pushToHub("org/mine", { ...options, token: "hf_reader" })).rejects.toMatchObject({ code: "HUB_ACCESS_DENIED", message: expect.stringContaining("right to write") as string });
  await expect(model.pushToHub("./mine", options)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  await expect(model.pushToHub("org/mine", { ...options, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "ABORTED" });
  await expect(model.pushToHub("org/mine", { ...options, fetch: () => Promise.reject(new TypeError("fetch failed")) })).rejects.toMatchObject({ code: "UPLOAD_FAILED" });
});
