import { join } from "node:path";
import { compile, hostTensor, type HostTensor } from "@heddle/kernels";
import { architectureFor, createConfig, createModel, saveModel, type Model } from "@heddle/transformer";
import { env, InferenceSession, Tensor } from "onnxruntime-node";
import { assertAgreement, largestDifference } from "./agreement.ts";
import type { PyTorch } from "./pytorch.ts";
import type { Agreement, VersusRow } from "./row.ts";
import { takeTurns, timed, type Contender } from "./turns.ts";
import type { Run } from "./work.ts";

const WORK = "minilm-cpu";
const SHAPES: readonly Shape[] = [[1, 16], [8, 64], [32, 64], [32, 128]];
type Shape = readonly [batch: number, length: number];

/** MiniLM's shape (Wang et al. 2020): 22 M parameters. */
export const minilm = { modelType: "bert", vocabSize: 30522, hiddenSize: 384, numHiddenLayers: 6, numAttentionHeads: 12, intermediateSize: 1536, maxPositionEmbeddings: 512 } as const;

/** Token ids that are the same on every side; never 0, the padding, whose row transformers' BERT does not train. */
export const tokenIds = (size: number, vocabSize: number) => Int32Array.from({ length: size }, (_, i) => 1 + ((i * 7919) % (vocabSize - 1)));

/** One side of the comparison; repeats the shape prepared last. */
interface Encoder extends Contender {
  /** Makes ready to run this shape and gives the numbers: f32 [batch, length, hidden], row by row. */
  prepare(shape: Shape): Promise<Float32Array>;
  close(): Promise<void> | void;
}

/** Sentences a second from token ids to the last hidden state, with random weights. */
export async function* benchmarkMinilm({ device, pytorch, threads, rounds, folder }: Run): AsyncGenerator<VersusRow> {
  using model = createModel(device, architectureFor("bert", "none"), createConfig(minilm), 1);
  const encoders: Encoder[] = [heddle(model)];
  try {
    if (pytorch) {
      const [checkpoint, onnx] = [join(folder, WORK), join(folder, `${WORK}.onnx`)];
      await saveModel(model, checkpoint);
      await pytorch.loadEncoder(checkpoint, onnx);
      encoders.push(await onnxRuntime(onnx, threads), torch(pytorch, join(folder, `${WORK}.f32`)));
    }
    // Who builds another graph when a second shape comes does so now: what is compared is what is timed.
    for (const shape of SHAPES) for (const encoder of encoders) await encoder.prepare(shape);
    for (const shape of SHAPES) {
      const agreement = await compare(encoders, shape);
      const { medians, othersShare } = await takeTurns(encoders, rounds);
      const [own, ...peers] = medians.map((milliseconds) => (shape[0] / milliseconds) * 1e3);
      yield {
        work: WORK,
        shape: `${shape[0]} × ${shape[1]} tokens`,
        backend: device.kind,
        adapter: device.description,
        unit: "sentences/s",
        higherIsBetter: true,
        heddle: own!,
        peers: Object.fromEntries(peers.map((rate, i) => [encoders[i + 1]!.name, rate])),
        agreement: peers.length === 0 ? null : agreement,
        othersShare,
        date: new Date().toISOString(),
      };
    }
  } finally {
    for (const encoder of encoders) await encoder.close();
  }
}

/** Throws RUNTIME_FAILED where two sides differ by more than rounding. */
async function compare([own, ...peers]: readonly Encoder[], shape: Shape): Promise<Agreement> {
  const wanted = await own!.prepare(shape);
  const differences: Record<string, number> = {};
  for (const peer of peers) differences[peer.name] = largestDifference(await peer.prepare(shape), wanted);
  const agreement: Agreement = { measure: "largest absolute difference", tolerance: 1e-4, differences };
  assertAgreement(`${WORK} ${shape.join(" × ")}`, agreement);
  return agreement;
}

function heddle(model: Model): Encoder {
  const forward = compile(model.device, WORK, ({ inputIds, attentionMask }) => ({ hidden: model.forward({ inputIds: inputIds!, attentionMask: attentionMask! }).lastHiddenState }));
  let inputs: Record<string, HostTensor> = {};
  return {
    name: "Heddle",
    async prepare([batch, length]) {
      inputs = {
        inputIds: hostTensor(tokenIds(batch * length, minilm.vocabSize), [batch, length]),
        attentionMask: hostTensor(new Int32Array(batch * length).fill(1), [batch, length]),
      };
      return (await forward.run(inputs))["hidden"]!.data as Float32Array;
    },
    repeat: () => timed(() => forward.run(inputs)),
    close: () => forward.dispose(),
  };
}

/** onnxruntime on the file that PyTorch exported. */
async function onnxRuntime(file: string, threads: number): Promise<Encoder> {
  const session = await InferenceSession.create(file, { executionProviders: ["cpu"], graphOptimizationLevel: "all", intraOpNumThreads: threads, logSeverityLevel: 3 });
  let feeds: Record<string, Tensor> = {};
  return {
    name: `onnxruntime-node ${env.versions.node} cpu`,
    async prepare([batch, length]) {
      feeds = {
        input_ids: new Tensor("int64", BigInt64Array.from(tokenIds(batch * length, minilm.vocabSize), BigInt), [batch, length]),
        attention_mask: new Tensor("int64", new BigInt64Array(batch * length).fill(1n), [batch, length]),
      };
      return (await session.run(feeds))["last_hidden_state"]!.data as Float32Array;
    },
    repeat: () => timed(() => session.run(feeds)),
    close: () => session.release(),
  };
}

function torch(pytorch: PyTorch, outputFile: string): Encoder {
  return {
    name: pytorch.name,
    async prepare([batch, length]) {
      const ids = tokenIds(batch * length, minilm.vocabSize);
      const rows = (row: (index: number) => number[]) => Array.from({ length: batch }, (_, i) => row(i));
      await pytorch.setBatch({ input_ids: rows((i) => [...ids.subarray(i * length, (i + 1) * length)]), attention_mask: rows(() => new Array<number>(length).fill(1)) });
      return pytorch.output(outputFile);
    },
    repeat: async () => (await pytorch.repeat()).milliseconds,
    close() {},
  };
}
