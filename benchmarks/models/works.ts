import { compile, hostTensor } from "@heddle/kernels";
import { architectureFor, createConfig, createModel } from "@heddle/transformer";
import type { Work } from "../work.ts";

const VOCABULARY = 30522;
const [SMALLEST_BATCH, SMALLEST_LENGTH] = [1, 8];

/** Encoders with random weights, from token ids to the last hidden state. */
export function modelWorks(): Work[] {
  return [
    encoder({ name: "encoder 2 × 128", hiddenSize: 128, numHiddenLayers: 2, numAttentionHeads: 4 }, 8, 64),
    ...([[1, 16], [8, 64], [32, 64]] as const).map(([batch, length]) => encoder({ name: "encoder 6 × 384 (MiniLM's)", hiddenSize: 384, numHiddenLayers: 6, numAttentionHeads: 12 }, batch, length)),
  ];
}

function encoder({ name, ...sizes }: { name: string; hiddenSize: number; numHiddenLayers: number; numAttentionHeads: number }, batch: number, length: number): Work {
  const { hiddenSize, numHiddenLayers } = sizes;
  const tokens = batch * length;
  return {
    name,
    shape: `${batch} × ${length} tokens`,
    // Two a weight of the layers' matrices and token, and the products of queries, keys and values.
    flops: 2 * tokens * numHiddenLayers * 12 * hiddenSize ** 2 + 4 * tokens * length * hiddenSize * numHiddenLayers,
    bytes: null,
    replayed: length === SMALLEST_LENGTH ? null : encoder({ name, ...sizes }, SMALLEST_BATCH, SMALLEST_LENGTH),
    prepare(device) {
      const config = createConfig({ modelType: "bert", vocabSize: VOCABULARY, intermediateSize: 4 * hiddenSize, maxPositionEmbeddings: 512, ...sizes });
      const model = createModel(device, architectureFor("bert", "none"), config, 1);
      const forward = compile(device, name, ({ inputIds, attentionMask }) => ({ hidden: model.forward({ inputIds: inputIds!, attentionMask: attentionMask! }).lastHiddenState }));
      const inputs = {
        inputIds: hostTensor(Int32Array.from({ length: tokens }, (_, i) => (i * 7919) % VOCABULARY), [batch, length]),
        attentionMask: hostTensor(new Int32Array(tokens).fill(1), [batch, length]),
      };
      return {
        queue: () => forward.run(inputs, { read: false }),
        dispose() {
          forward.dispose();
          model.dispose();
        },
      };
    },
  };
}
