import { HeddleError } from "@heddle/kernels";
import type { ModelConfig } from "./config.ts";

/** What a configuration says of the texts that its model reads. */
export interface TextConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly numHiddenLayers: number;
  /** The longest text in tokens. */
  readonly maxPositionEmbeddings: number;
  readonly padTokenId: number | undefined;
}

/** Throws INVALID_ARGUMENT for a model that reads no texts. */
export function textConfigOf(config: ModelConfig): TextConfig {
  if ("textConfig" in config) return config.textConfig;
  if ("vocabSize" in config) return config;
  throw new HeddleError("INVALID_ARGUMENT", `[${config.modelType}] reads no texts; choose a model of another family`);
}
