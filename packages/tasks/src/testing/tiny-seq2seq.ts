import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ReferenceDevice } from "@heddle/kernels";
import { architectureFor, createModel, parseConfig, saveModel, trainByteLevelBpe } from "@heddle/transformer";

const COMMON = { pad_token_id: 0, eos_token_id: 3, decoder_start_token_id: 2, d_model: 16 };
const BART = { ...COMMON, bos_token_id: 2, max_position_embeddings: 48, encoder_layers: 1, decoder_layers: 1, encoder_attention_heads: 2, decoder_attention_heads: 2, encoder_ffn_dim: 24, decoder_ffn_dim: 24, init_std: 0.7 };
const CONFIGS = {
  t5: { ...COMMON, d_kv: 8, d_ff: 24, num_layers: 1, num_heads: 2, relative_attention_num_buckets: 8, relative_attention_max_distance: 20, n_positions: 48, initializer_factor: 3 },
  bart: BART,
  marian: BART,
} as const;

/** A folder with a small model of two halves with random weights: the same ones each time, so that Python's answers for it can be written down. */
export async function writeTinySeq2Seq(modelType: keyof typeof CONFIGS, { seed = 5, config = {}, generation }: { seed?: number; config?: object; generation?: object } = {}): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "heddle-seq2seq-"));
  const tokenizer = await trainByteLevelBpe(["the parcel was late and the box was broken", "the parcel came early"], { vocabSize: 290, modelMaxLength: 48 });
  const parsed = parseConfig({ model_type: modelType, vocab_size: tokenizer.vocabSize, ...CONFIGS[modelType], ...config });
  using model = createModel(new ReferenceDevice(), architectureFor(modelType, "seq2seq-lm"), { ...parsed, architectures: [modelType === "t5" ? "T5ForConditionalGeneration" : modelType === "bart" ? "BartForConditionalGeneration" : "MarianMTModel"] }, seed);
  await saveModel(model, folder, { tokenizer: tokenizer.tokenizerJson, tokenizerConfig: tokenizer.tokenizerConfig, ...(generation && { files: { "generation_config.json": generation } }) });
  return folder;
}
