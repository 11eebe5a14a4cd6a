import { decoderModel } from "./decoder.ts";
import { llamaLayer } from "./llama.ts";

// Mistral (Jiang et al. 2023, arXiv:2310.06825): Llama whose queries see a window of keys, which the configuration says.

export const mistralModel = decoderModel(llamaLayer);
