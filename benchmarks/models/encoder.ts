import { compile, hostTensor, type Device, type HostTensor } from "@heddle/kernels";
import { architectureFor, createConfig, createModel } from "@heddle/transformer";
import { interleave } from "../measure.ts";
import type { Row } from "../row.ts";

const ROUNDS = 5;

/** Sentences a second through an encoder of MiniLM's shape (random weights) and through a small one. */
export async function benchmarkEncoders(device: Device): Promise<Row[]> {
  const sizes = [
    { name: "encoder 2×128", hiddenSize: 128, numHiddenLayers: 2, numAttentionHeads: 4, batch: 8, length: 64 },
    { name: "encoder 6×384 (MiniLM's shape)", hiddenSize: 384, numHiddenLayers: 6, numAttentionHeads: 12, batch: 8, length: 64 },
  ];
  const rows: Row[] = [];
  for (const { name, batch, length, ...shape } of sizes) {
    const config = createConfig({ modelType: "bert", vocabSize: 30522, intermediateSize: 4 * shape.hiddenSize, maxPositionEmbeddings: 512, ...shape });
    using model = createModel(device, architectureFor("bert", "none"), config, 1);
    using forward = compile(device, name, ({ inputIds, attentionMask }) => ({ hidden: model.forward({ inputIds: inputIds!, attentionMask: attentionMask! }).lastHiddenState }));
    const inputs: Record<string, HostTensor> = {
      inputIds: hostTensor(Int32Array.from({ length: batch * length }, (_, i) => (i * 7919) % 30000), [batch, length]),
      attentionMask: hostTensor(new Int32Array(batch * length).fill(1), [batch, length]),
    };
    const [timing] = await interleave([async () => void (await forward.run(inputs))], ROUNDS);
    rows.push({ work: name, shape: `${batch} × ${length} tokens`, unit: "sentences/s", higherIsBetter: true, heddle: (batch / timing!.wallMs) * 1e3, heddleByCpu: null });
  }
  return rows;
}
