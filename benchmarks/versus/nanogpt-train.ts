import { join } from "node:path";
import { hostTensor } from "@heddle/kernels";
import { writeModelFolder } from "@heddle/transformer";
import { tokenIds } from "./implementations/data.ts";
import { NanoGpt, NanoGptTraining, type NanoGptConfig } from "./nanogpt.ts";
import type { VersusRow } from "./row.ts";
import { compareTraining } from "./training.ts";
import type { Run } from "./work.ts";

const WORK = "nanogpt-train";
const BATCH = 12;
/** nanoGPT's configuration for a CPU: 0.8 M parameters, characters of Shakespeare. */
const config: NanoGptConfig = { vocabSize: 65, contextLength: 64, hiddenSize: 128, numLayers: 4, numHeads: 4 };
const options = { learningRate: 1e-3, weightDecay: 0.01, maxGradNorm: 1 };

/** A whole step of a small GPT-2: forward, backward, clipping, AdamW. */
export async function* benchmarkNanoGptTraining(run: Run): AsyncGenerator<VersusRow> {
  const length = config.contextLength;
  const model = new NanoGpt(await run.device(), config, 1);
  const ids = tokenIds(BATCH * length, config.vocabSize);
  if (run.pytorch) {
    const checkpoint = join(run.folder, WORK);
    await saveAsGpt2(model, checkpoint);
    await run.pytorch.loadTraining("GPT2LMHeadModel", checkpoint, options);
    const rows = Array.from({ length: BATCH }, (_, i) => [...ids.subarray(i * length, (i + 1) * length)]);
    // transformers shifts the labels by one itself.
    await run.pytorch.setBatch({ input_ids: rows, labels: rows });
  }
  const training = new NanoGptTraining(model, options);
  const next = ids.map((_, i) => ((i + 1) % length === 0 ? -100 : ids[i + 1]!));
  const batch = { inputIds: hostTensor(ids, [BATCH, length]), labels: hostTensor(next, [BATCH, length]) };
  try {
    yield await compareTraining(run, { work: WORK, shape: `${BATCH} × ${length} tokens`, step: () => training.run(batch), deterministic: true });
  } finally {
    training.dispose();
    model.dispose();
  }
}

/** A folder that GPT2LMHeadModel loads. */
async function saveAsGpt2({ config, device, parameters }: NanoGpt, folder: string): Promise<void> {
  const states = [...parameters.values()];
  const contents = await device.readStates(states);
  await writeModelFolder(folder, {
    config: {
      model_type: "gpt2",
      vocab_size: config.vocabSize,
      n_positions: config.contextLength,
      n_embd: config.hiddenSize,
      n_layer: config.numLayers,
      n_head: config.numHeads,
      embd_pdrop: 0,
      attn_pdrop: 0,
      resid_pdrop: 0,
      bos_token_id: 0,
      eos_token_id: 0,
    },
    tensors: states.map(({ name, type }, i) => ({ name, dtype: "F32" as const, shape: type.shape, data: contents[i]! })),
  });
}
