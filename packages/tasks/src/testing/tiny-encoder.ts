import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ReferenceDevice } from "@heddle/kernels";
import { architectureFor, createConfig, createModel, saveModel, trainWordPiece, type Head } from "@heddle/transformer";

const TEXTS = ["Anna Berg works in Zurich at the harbour", "the harbour of Zurich is small", "who works in the small shop", "Anna sells bread and cheese"];

/** A folder with a BERT of random weights and a WordPiece tokenizer: the same ones each time, so that Python's answers for it can be written down. */
export async function writeTinyEncoder(head: Head, { labels, seed = 9 }: { labels?: readonly string[]; seed?: number } = {}): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "heddle-encoder-"));
  const tokenizer = await trainWordPiece(TEXTS, { vocabSize: 60, modelMaxLength: 32 });
  const config = createConfig({ modelType: "bert", vocabSize: tokenizer.vocabSize, hiddenSize: 16, numHiddenLayers: 2, numAttentionHeads: 2, intermediateSize: 24, maxPositionEmbeddings: 32, initializerRange: 0.6, ...(labels && { labels }) });
  using model = createModel(new ReferenceDevice(), architectureFor("bert", head), config, seed);
  await saveModel(model, folder, { tokenizer: tokenizer.tokenizerJson, tokenizerConfig: tokenizer.tokenizerConfig });
  return folder;
}
