import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { compile, hostTensor, type HostTensor } from "@heddle/kernels";
import { architectureFor, createConfig, createModel, modelToOnnx, saveModel, type Model } from "@heddle/transformer";
import { env, InferenceSession, Tensor } from "onnxruntime-node";
import { compare, type Side } from "./compare.ts";
import { minilm, tokens } from "./implementations/data.ts";
import type { EncoderShape } from "./implementations/implementation.ts";
import { encoderRate, ENCODER_TOLERANCE, encoderText, PYTORCH_EXPORT } from "./minilm.ts";
import type { PyTorch } from "./pytorch.ts";
import type { VersusRow } from "./row.ts";
import { timed } from "./turns.ts";
import type { Run } from "./work.ts";

const WORK = "minilm-cpu";
const SHAPES: readonly EncoderShape[] = [[1, 16], [8, 64], [32, 64], [32, 128]];

/** Sentences a second from token ids to the last hidden state, with random weights. All sides but PyTorch's share this process and its threads. */
export async function* benchmarkMinilmOnCpu(run: Run): AsyncGenerator<VersusRow> {
  const { pytorch, threads, folder } = run;
  const device = await run.device();
  using model = createModel(device, architectureFor("bert", "none"), createConfig(minilm), 1);
  const sides: Side<EncoderShape>[] = [heddle(model)];
  try {
    const [checkpoint, exported, pytorchExported] = [join(folder, WORK), join(folder, `${WORK}.onnx`), join(folder, `${WORK}-pytorch.onnx`)];
    await writeFile(exported, await modelToOnnx(model));
    const name = `onnxruntime-node ${env.versions.node} cpu`;
    sides.push(await onnxRuntime(name, exported, threads));
    if (pytorch) {
      await saveModel(model, checkpoint);
      await pytorch.loadEncoder(checkpoint);
      if (await pytorch.exportEncoder(pytorchExported)) sides.push(await onnxRuntime(`${name} ${PYTORCH_EXPORT}`, pytorchExported, threads));
      sides.push(torch(pytorch, join(folder, `${WORK}.f32`)));
    }
    // Who builds another graph when a second shape comes does so now: what is compared is what is timed.
    for (const shape of SHAPES) for (const side of sides) await side.prepare(shape);
    for (const shape of SHAPES) {
      yield await compare(sides, { work: WORK, shape, shapeText: encoderText(shape), backend: device.kind, adapter: device.description, software: false, unit: "sentences/s", tolerance: ENCODER_TOLERANCE, rate: encoderRate(shape) }, run);
    }
  } finally {
    for (const side of sides) await side.close();
  }
}

function heddle(model: Model): Side<EncoderShape> {
  const forward = compile(model.device, WORK, ({ inputIds, attentionMask }) => ({ hidden: model.forward({ inputIds: inputIds!, attentionMask: attentionMask! }).lastHiddenState }));
  let inputs: Record<string, HostTensor> = {};
  return {
    name: "Heddle",
    async prepare(shape) {
      const { ids, mask, dims } = tokens(shape);
      inputs = { inputIds: hostTensor(ids, dims), attentionMask: hostTensor(mask, dims) };
      return (await forward.run(inputs))["hidden"]!.data as Float32Array;
    },
    repeat: () => timed(() => forward.run(inputs)),
    close: () => forward.dispose(),
  };
}

async function onnxRuntime(name: string, file: string, threads: number): Promise<Side<EncoderShape>> {
  const session = await InferenceSession.create(file, { executionProviders: ["cpu"], graphOptimizationLevel: "all", intraOpNumThreads: threads, logSeverityLevel: 3 });
  let feeds: Record<string, Tensor> = {};
  return {
    name,
    async prepare(shape) {
      const { ids, mask, dims } = tokens(shape);
      const wide = (values: Int32Array) => new Tensor("int64", BigInt64Array.from(values, BigInt), dims);
      const all: Record<string, Tensor> = { input_ids: wide(ids), attention_mask: wide(mask), token_type_ids: wide(new Int32Array(ids.length)) };
      feeds = Object.fromEntries(session.inputNames.map((input) => [input, all[input]!]));
      return (await session.run(feeds))["last_hidden_state"]!.data as Float32Array;
    },
    repeat: () => timed(() => session.run(feeds)),
    close: () => session.release(),
  };
}

function torch(pytorch: PyTorch, outputFile: string): Side<EncoderShape> {
  return {
    name: pytorch.name,
    async prepare([batch, length]) {
      const { ids, mask } = tokens([batch, length]);
      const rows = (values: Int32Array) => Array.from({ length: batch }, (_, i) => [...values.subarray(i * length, (i + 1) * length)]);
      await pytorch.setBatch({ input_ids: rows(ids), attention_mask: rows(mask) });
      return pytorch.output(outputFile);
    },
    repeat: async () => ({ milliseconds: (await pytorch.repeat()).milliseconds, cpuMs: null }),
    close() {},
  };
}
