import { add, type Tensor } from "@heddle/kernels";
import { patchesOf } from "../config/image.ts";
import type { ViTConfig } from "../config/index.ts";
import type { ImageInputs } from "../models/inputs.ts";
import type { EncoderOutputs, ModelOutputs } from "../models/outputs.ts";
import { dropout, type ForwardMode } from "../nn/forward-mode.ts";
import { layerNorm } from "../nn/layer-norm.ts";
import { linear } from "../nn/linear.ts";
import { patchEmbedding, withClassToken } from "../nn/patches.ts";
import { normal, type Scope } from "../nn/scope.ts";
import { selfAttention } from "./bert.ts";
import { firstToken } from "./encoder-heads.ts";

// ViT (Dosovitskiy et al. 2020, arXiv:2010.11929): a Transformer over the patches of an image, with LayerNorm before each sublayer.

/** Patches after a class token, with learned positions. pixels [batch, channels, height, width] → [batch, patches + 1, hidden]. */
function embeddings(scope: Scope, config: ViTConfig, pixels: Tensor, mode: ForwardMode): Tensor {
  const { hiddenSize, initializerRange, hiddenDropoutProb } = config;
  const patches = patchEmbedding(scope.in("patch_embeddings.projection"), pixels, config, { initializerRange });
  const tokens = withClassToken(scope.parameter("cls_token", [1, 1, hiddenSize], normal(initializerRange)), patches);
  const positions = scope.parameter("position_embeddings", [1, patchesOf(config) + 1, hiddenSize], normal(initializerRange));
  return dropout(add(tokens, positions), hiddenDropoutProb, mode);
}

/** x + attention(norm(x)), then x + feedForward(norm(x)). x [batch, length, hidden] → same. */
function layer(scope: Scope, config: ViTConfig, x: Tensor, mode: ForwardMode): Tensor {
  const { hiddenSize: outputSize, intermediateSize, hiddenAct, hiddenDropoutProb, layerNormEps, qkvBias: bias, initializerRange } = config;
  const before = layerNorm(scope.in("layernorm_before"), x, layerNormEps);
  const context = selfAttention(scope.in("attention.attention"), config, before, undefined, mode, { bias });
  const attended = add(x, dropout(linear(scope.in("attention.output.dense"), context, { outputSize, initializerRange }), hiddenDropoutProb, mode));
  const after = layerNorm(scope.in("layernorm_after"), attended, layerNormEps);
  const expanded = linear(scope.in("intermediate.dense"), after, { outputSize: intermediateSize, activation: hiddenAct, initializerRange });
  return add(attended, dropout(linear(scope.in("output.dense"), expanded, { outputSize, initializerRange }), hiddenDropoutProb, mode));
}

/** Hidden states [batch, patches + 1, hidden]: the embeddings' and every layer's; the last hidden state is normalised. */
function vitEncoder(scope: Scope, config: ViTConfig, { pixelValues }: ImageInputs, mode: ForwardMode): EncoderOutputs {
  const hiddenStates = [embeddings(scope.in("embeddings"), config, pixelValues, mode)];
  for (let i = 0; i < config.numHiddenLayers; i++) hiddenStates.push(layer(scope.in("encoder.layer").in(i), config, hiddenStates.at(-1)!, mode));
  return { hiddenStates, lastHiddenState: layerNorm(scope.in("layernorm"), hiddenStates.at(-1)!, config.layerNormEps) };
}

/** Plain hidden states and the pooler's output. */
export function vitModel(scope: Scope, config: ViTConfig, inputs: ImageInputs, mode: ForwardMode): ModelOutputs {
  const { hiddenSize, poolerOutputSize: outputSize = hiddenSize, poolerAct, initializerRange } = config;
  const encoder = vitEncoder(scope, config, inputs, mode);
  return { ...encoder, poolerOutput: linear(scope.in("pooler.dense"), firstToken(encoder.lastHiddenState), { outputSize, activation: poolerAct, initializerRange }) };
}

/** A linear layer over the class token. logits [batch, labels]. */
export function vitForImageClassification(scope: Scope, config: ViTConfig, inputs: ImageInputs, mode: ForwardMode): ModelOutputs {
  const encoder = vitEncoder(scope.in("vit"), config, inputs, mode);
  return { ...encoder, logits: linear(scope.in("classifier"), firstToken(encoder.lastHiddenState), { outputSize: config.numLabels, initializerRange: config.initializerRange }) };
}
