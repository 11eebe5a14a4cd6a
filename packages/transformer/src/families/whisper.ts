import { add, transpose, type Tensor } from "@heddle/kernels";
import type { WhisperConfig } from "../config/whisper.ts";
import type { Seq2SeqInputs } from "../models/inputs.ts";
import type { Decoder, EncoderOutputs, ModelOutputs } from "../models/outputs.ts";
import { convolution1d } from "../nn/convolution.ts";
import type { CrossSource } from "../nn/cross-attention.ts";
import { dropout, type ForwardMode } from "../nn/forward-mode.ts";
import type { KeyValueCache } from "../nn/key-value-cache.ts";
import { layerNorm } from "../nn/layer-norm.ts";
import { causalPositions } from "../nn/position-ids.ts";
import { normal, type Scope } from "../nn/scope.ts";
import { vocabularyScores } from "../nn/vocabulary-scores.ts";
import { crossKeysAndValues, decoderAttention, encoderAttention, feedForward, LAYER_NORM_EPS, sharedWords, sourceAttention } from "./bart.ts";
import { cacheOf, withFinalNorm } from "./decoder.ts";

// Whisper (Radford et al. 2022, arXiv:2212.04356): two convolutions over a log-mel spectrogram, then BART's sublayers with the
// norm before each. Keys have no bias.

const KERNEL = 3;

/** x + sublayer(LayerNorm(x)). */
function residual(scope: Scope, config: WhisperConfig, x: Tensor, norm: string, mode: ForwardMode, sublayer: (normalized: Tensor) => Tensor): Tensor {
  return add(x, dropout(sublayer(layerNorm(scope.in(norm), x, LAYER_NORM_EPS)), config.dropout, mode));
}

/** inputFeatures [batch, mel bins, frames] → hidden states [batch, frames / 2, hidden]. */
export function whisperEncode(scope: Scope, config: WhisperConfig, { inputFeatures }: Pick<Seq2SeqInputs, "inputFeatures">, mode: ForwardMode): EncoderOutputs {
  const { hiddenSize: channels, maxSourcePositions, initializerRange, encoderIntermediateSize, dropout: probability } = config;
  const encoder = scope.in("encoder");
  const frames = transpose(inputFeatures!, [0, 2, 1]);
  const heard = convolution1d(encoder.in("conv1"), frames, { channels, kernel: KERNEL, activation: "gelu", initializerRange });
  const halved = convolution1d(encoder.in("conv2"), heard, { channels, kernel: KERNEL, stride: 2, activation: "gelu", initializerRange });
  const table = encoder.in("embed_positions").parameter("weight", [maxSourcePositions, channels], normal(initializerRange));
  const hiddenStates = [dropout(add(halved, causalPositions(table, halved.shape[1]!, undefined)), probability, mode)];
  for (let i = 0; i < config.numEncoderLayers; i++) {
    const layer = encoder.in("layers").in(i);
    const attended = residual(layer, config, hiddenStates.at(-1)!, "self_attn_layer_norm", mode, (x) => encoderAttention(layer.in("self_attn"), config, x, undefined, mode, false));
    hiddenStates.push(residual(layer, config, attended, "final_layer_norm", mode, (x) => feedForward(layer, config, x, encoderIntermediateSize, mode)));
  }
  return withFinalNorm(hiddenStates, (x) => layerNorm(encoder.in("layer_norm"), x, LAYER_NORM_EPS));
}

/** What each layer of the decoder sees of the encoder's states. */
export const whisperCrossKeysAndValues = (scope: Scope, config: WhisperConfig, encoded: Tensor): CrossSource["layers"] => crossKeysAndValues(scope.in("decoder"), config, encoded, false);

/** decoderInputIds [batch, length], a text or what comes after a cache's tokens → hidden states [batch, length, hidden]. */
export function whisperDecode(scope: Scope, config: WhisperConfig, decoderInputIds: Tensor, source: CrossSource, mode: ForwardMode, cache?: KeyValueCache): EncoderOutputs {
  const decoder = scope.in("decoder");
  const table = decoder.in("embed_positions").parameter("weight", [config.maxPositionEmbeddings, config.hiddenSize], normal(config.initializerRange));
  const words = sharedWords(decoder.in("embed_tokens"), config, decoderInputIds);
  const hiddenStates = [dropout(add(words, causalPositions(table, decoderInputIds.shape[1]!, cache)), config.dropout, mode)];
  for (let i = 0; i < config.numHiddenLayers; i++) {
    const layer = decoder.in("layers").in(i);
    const attended = residual(layer, config, hiddenStates.at(-1)!, "self_attn_layer_norm", mode, (x) => decoderAttention(layer.in("self_attn"), config, x, { cache: cacheOf(cache, i) }, mode, false));
    const informed = residual(layer, config, attended, "encoder_attn_layer_norm", mode, (x) => sourceAttention(layer.in("encoder_attn"), config, x, source.layers[i]!, source.mask, mode));
    hiddenStates.push(residual(layer, config, informed, "final_layer_norm", mode, (x) => feedForward(layer, config, x, config.intermediateSize, mode)));
  }
  return withFinalNorm(hiddenStates, (x) => layerNorm(decoder.in("layer_norm"), x, LAYER_NORM_EPS));
}

/** Both halves. The hidden states are the decoder's. */
export function whisperModel(scope: Scope, config: WhisperConfig, { decoderInputIds, inputFeatures }: Seq2SeqInputs, mode: ForwardMode): ModelOutputs {
  const encoder = whisperEncode(scope, config, { inputFeatures }, mode);
  return { ...whisperDecode(scope, config, decoderInputIds, { layers: whisperCrossKeysAndValues(scope, config, encoder.lastHiddenState) }, mode), encoder };
}

/** What scores tokens after the decoder's states: the embeddings. */
export const whisperScores = (scope: Scope, { vocabSize, hiddenSize, initializerRange }: WhisperConfig, hidden: Tensor): Decoder => ({ hidden, weight: scope.in("model.decoder.embed_tokens").matrix("weight", [vocabSize, hiddenSize], normal(initializerRange)) });

export function whisperForConditionalGeneration(scope: Scope, config: WhisperConfig, inputs: Seq2SeqInputs, mode: ForwardMode): ModelOutputs {
  const outputs = whisperModel(scope.in("model"), config, inputs, mode);
  return { ...outputs, ...vocabularyScores(whisperScores(scope, config, outputs.lastHiddenState)) };
}
