import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ReferenceDevice } from "@heddle/kernels";
import { architectureFor, createConfig, createModel, modelToOnnx, saveModel } from "@heddle/transformer";
import { compareColdStarts } from "./cold-start.ts";
import { compare } from "./compare.ts";
import { minilm } from "./implementations/data.ts";
import type { EncoderShape } from "./implementations/implementation.ts";
import type { VersusRow } from "./row.ts";
import { closeAll, openAll, sidesOf, type SideSpec } from "./stage.ts";
import type { Run } from "./work.ts";

const WORK = "minilm";
const SHAPES: readonly EncoderShape[] = [[8, 64], [1, 16]];
/** A peer takes minutes for one such batch on SwiftShader. */
const SHAPES_OF_GPUS: readonly EncoderShape[] = [...SHAPES, [32, 64], [32, 128]];
const COLD_SHAPE = SHAPES[0]!;
/** On software adapters some peers take many seconds for a batch. */
const BUDGET_MS = 60_000;

/** After a peer's name. */
export const PYTORCH_EXPORT = "(PyTorch's export)";
export const ENCODER_TOLERANCE = 1e-4;
export const encoderText = ([batch, length]: EncoderShape) => `${batch} × ${length} tokens`;
export const encoderRate = ([batch]: EncoderShape) => (milliseconds: number) => (batch / milliseconds) * 1e3;

/** Sentences a second from token ids to the last hidden state on WebGPU, with random weights; then cold starts. */
export async function* benchmarkMinilm(run: Run): AsyncGenerator<VersusRow> {
  const stage = await run.stage();
  const folder = join(run.folder, WORK);
  await writeModel(folder);
  const specs = await withPytorchExport(sidesOf(WORK, stage, run.threads, folder), folder, run);
  const sides = await openAll<EncoderShape>(stage, specs);
  try {
    for (const shape of stage.software ? SHAPES : SHAPES_OF_GPUS) {
      yield await compare(
        sides,
        { work: WORK, shape, shapeText: encoderText(shape), backend: "webgpu", adapter: stage.adapter, software: stage.software, unit: "sentences/s", tolerance: ENCODER_TOLERANCE, rate: encoderRate(shape) },
        { rounds: run.rounds, budgetMs: BUDGET_MS },
      );
    }
  } finally {
    await closeAll(sides);
  }
  // transformers.js starts as its onnxruntime does.
  if (stage.coldStart) yield await compareColdStarts(stage, specs.filter(({ implementation, provider }) => provider === "webgpu" && implementation !== "transformers"), { work: `${WORK}-cold-start`, shape: COLD_SHAPE, shapeText: encoderText(COLD_SHAPE) });
}

/** The same weights as safetensors and as ONNX. */
async function writeModel(folder: string): Promise<void> {
  using model = createModel(new ReferenceDevice(), architectureFor("bert", "none"), createConfig(minilm), 1);
  await saveModel(model, folder);
  const onnx = join(folder, "onnx", "model.onnx");
  await mkdir(dirname(onnx), { recursive: true });
  await writeFile(onnx, await modelToOnnx(model));
}

/** onnxruntime once more on PyTorch's export, where there is one: nobody shall say that Heddle's own was slow. */
async function withPytorchExport(specs: readonly SideSpec[], folder: string, { pytorch }: Run): Promise<readonly SideSpec[]> {
  if (!pytorch) return specs;
  const onnx = join(folder, "onnx", "pytorch.onnx");
  await pytorch.loadEncoder(folder);
  if (!(await pytorch.exportEncoder(onnx))) return specs;
  const more = specs.filter(({ implementation, provider }) => implementation === "onnx" && provider === "webgpu").map((spec) => ({ ...spec, name: `${spec.name} ${PYTORCH_EXPORT}`, onnx }));
  return [...specs, ...more];
}
