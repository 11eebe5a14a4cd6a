import { z } from "zod";
import { bartFromJson, bartKeys, bartLikeToJson, type BartLikeConfig } from "./bart.ts";
import { checkConfig, optional, size, withDefault } from "./schema.ts";
import { tokenId } from "./decoder.ts";

export interface WhisperConfig extends BartLikeConfig {
  readonly modelType: "whisper";
  readonly numMelBins: number;
  /** Length of what was read, after the convolutions: half as many places as frames. */
  readonly maxSourcePositions: number;
  readonly suppressTokens: readonly number[];
  readonly beginSuppressTokens: readonly number[];
}

const whisperSchema = z.object({
  ...bartKeys({ vocab_size: 51865, d_model: 384, layers: 4, heads: 6, ffn_dim: 1536, dropout: 0, scale_embedding: false, pad_token_id: 50256, bos_token_id: 50256, eos_token_id: 50256, decoder_start_token_id: 50257 }),
  num_mel_bins: withDefault(size, 80),
  max_source_positions: withDefault(size, 1500),
  max_target_positions: withDefault(size, 448),
  suppress_tokens: optional(z.array(tokenId)),
  begin_suppress_tokens: optional(z.array(tokenId)),
});

/** Parses a Whisper config.json object; errors are `CONFIG_INVALID`. */
export function parseWhisperConfig(raw: Readonly<Record<string, unknown>>): WhisperConfig {
  const json = checkConfig(whisperSchema, raw);
  return {
    ...bartFromJson(json, json.max_target_positions, raw),
    modelType: "whisper",
    numMelBins: json.num_mel_bins,
    maxSourcePositions: json.max_source_positions,
    suppressTokens: json.suppress_tokens ?? [],
    beginSuppressTokens: json.begin_suppress_tokens ?? [],
  };
}

/** The family's keys in config.json. */
export function whisperToJson(config: WhisperConfig): Record<string, unknown> {
  return {
    ...bartLikeToJson(config),
    num_mel_bins: config.numMelBins,
    max_source_positions: config.maxSourcePositions,
    max_target_positions: config.maxPositionEmbeddings,
    suppress_tokens: config.suppressTokens,
    begin_suppress_tokens: config.beginSuppressTokens,
  };
}
