import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ReferenceDevice } from "@heddle/kernels";
import { architectureFor, createConfig, createModel, saveModel, trainByteLevelBpe } from "@heddle/transformer";

const CHAT_TEMPLATE = "{{ bos_token }}{% for message in messages %}<{{ message.role }}>{{ message.content }}\n{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}";

/** A folder with a decoder of random weights, whose texts are noise, and a tokenizer. `ends`: it has a token that ends texts. */
export async function writeTinyDecoder({ chat = true, ends = false }: { chat?: boolean; ends?: boolean } = {}): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "heddle-decoder-"));
  const tokenizer = await trainByteLevelBpe(["the parcel was late and the box was broken", "the parcel came early"], { vocabSize: 290, modelMaxLength: 96 });
  using model = createModel(new ReferenceDevice(), architectureFor("llama", "causal-lm"), createConfig({ modelType: "llama", vocabSize: tokenizer.vocabSize, hiddenSize: 16, numHiddenLayers: 1, numAttentionHeads: 2, intermediateSize: 24, maxPositionEmbeddings: 96, initializerRange: 0.7, eosTokenIds: ends ? [tokenizer.specialTokenId("sep")!] : [] }), 6);
  await saveModel(model, folder, { tokenizer: tokenizer.tokenizerJson, tokenizerConfig: { ...tokenizer.tokenizerConfig, ...(chat && { chat_template: CHAT_TEMPLATE }) } });
  return folder;
}
