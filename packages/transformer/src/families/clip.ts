import { add, argmax, attention, cast, div, equal, exp, matmul, mul, reshape, sqrt, sum, type Tensor } from "@heddle/kernels";
import type { ClipConfig, ClipTextConfig, ClipTowerConfig, ClipVisionConfig } from "../config/index.ts";
import { patchesOf } from "../config/image.ts";
import type { ImageInputs, TextAndImageInputs } from "../models/inputs.ts";
import type { EncoderOutputs, ModelOutputs } from "../models/outputs.ts";
import { causalAttention } from "../nn/causal-attention.ts";
import { embedding } from "../nn/embedding.ts";
import type { ForwardMode } from "../nn/forward-mode.ts";
import { mergeHeads, splitHeads } from "../nn/heads.ts";
import { layerNorm } from "../nn/layer-norm.ts";
import { linear } from "../nn/linear.ts";
import { patchEmbedding, withClassToken } from "../nn/patches.ts";
import { firstPositions } from "../nn/position-ids.ts";
import { constant, normal, type Scope } from "../nn/scope.ts";
import { tokenAt } from "../nn/token-at.ts";
import { firstToken } from "./encoder-heads.ts";

// CLIP (Radford et al. 2021, arXiv:2103.00020): a Transformer over texts and one over images, whose outputs are compared.

/** softmax(Q Kᵀ / √d) V per head, in one half's way. */
type Attend = (q: Tensor, k: Tensor, v: Tensor) => Tensor;

/** x + attention(norm(x)), then x + feedForward(norm(x)). x [batch, length, hidden] → same. */
function layer(scope: Scope, config: ClipTowerConfig, x: Tensor, attend: Attend): Tensor {
  const { hiddenSize: outputSize, numAttentionHeads, intermediateSize, hiddenAct, layerNormEps, initializerRange } = config;
  const attn = scope.in("self_attn");
  const before = layerNorm(scope.in("layer_norm1"), x, layerNormEps);
  const project = (name: string) => splitHeads(linear(attn.in(name), before, { outputSize, initializerRange }), numAttentionHeads);
  const attended = add(x, linear(attn.in("out_proj"), attend(project("q_proj"), project("k_proj"), project("v_proj")), { outputSize, initializerRange }));
  const expanded = linear(scope.in("mlp.fc1"), layerNorm(scope.in("layer_norm2"), attended, layerNormEps), { outputSize: intermediateSize, activation: hiddenAct, initializerRange });
  return add(attended, linear(scope.in("mlp.fc2"), expanded, { outputSize, initializerRange }));
}

/** Hidden states [batch, length, hidden]: the embeddings' and every layer's. */
function layers(scope: Scope, config: ClipTowerConfig, embedded: Tensor, attend: Attend): Tensor[] {
  const hiddenStates = [embedded];
  for (let i = 0; i < config.numHiddenLayers; i++) hiddenStates.push(layer(scope.in("encoder.layers").in(i), config, hiddenStates.at(-1)!, attend));
  return hiddenStates;
}

/** Texts, each token seeing those before it; the last hidden state is normalised. */
function textModel(scope: Scope, config: ClipTextConfig, { inputIds, attentionMask: mask }: TextAndImageInputs, mode: ForwardMode): EncoderOutputs {
  const { vocabSize: count, hiddenSize: size, maxPositionEmbeddings, layerNormEps, attentionDropout: dropout, initializerRange } = config;
  const words = embedding(scope.in("embeddings.token_embedding"), inputIds, { count, size, initializerRange });
  const positions = scope.in("embeddings.position_embedding").parameter("weight", [maxPositionEmbeddings, size], normal(initializerRange));
  const attend: Attend = (q, k, v) => causalAttention(q, k, v, { mask }, mode, { dropout });
  const hiddenStates = layers(scope, config, add(words, firstPositions(positions, inputIds.shape[1]!, size)), attend);
  return { hiddenStates, lastHiddenState: layerNorm(scope.in("final_layer_norm"), hiddenStates.at(-1)!, layerNormEps) };
}

/** In files with this id for the end of a text the id is wrong. */
const WRONG_END = 2;

/** What stands at the end of each text. inputIds [batch, length], hidden [batch, length, size] → [batch, size]. */
function atEndOfText(hidden: Tensor, inputIds: Tensor, { eosTokenId }: ClipTextConfig): Tensor {
  const ids = cast(inputIds, "f32");
  // The first of several; of a text without an end its first token.
  const end = argmax(eosTokenId === WRONG_END ? ids : equal(ids, eosTokenId));
  return tokenAt(hidden, reshape(cast(end, "f32"), [-1, 1]));
}

/** The class token of each image after the last layer, normalised. [batch, hidden]. */
function visionModel(scope: Scope, config: ClipVisionConfig, { pixelValues }: ImageInputs, mode: ForwardMode): Tensor {
  const { hiddenSize: size, layerNormEps, attentionDropout: probability, initializerRange } = config;
  const embeddings = scope.in("embeddings");
  const patches = patchEmbedding(embeddings.in("patch_embedding"), pixelValues, config, { initializerRange, bias: false });
  const tokens = withClassToken(embeddings.parameter("class_embedding", [size], normal(initializerRange)), patches);
  const positions = embeddings.in("position_embedding").parameter("weight", [patchesOf(config) + 1, size], normal(initializerRange));
  const embedded = layerNorm(scope.in("pre_layrnorm"), add(tokens, positions), layerNormEps);
  const attend: Attend = (q, k, v) => mergeHeads(attention(q, k, v, { ...(mode.dropoutKey && probability > 0 && { dropout: { probability, key: mode.dropoutKey } }) }));
  return layerNorm(scope.in("post_layernorm"), firstToken(layers(scope, config, embedded, attend).at(-1)!), layerNormEps);
}

/** x / |x| over the last axis. */
const unit = (x: Tensor): Tensor => div(x, sqrt(sum(mul(x, x), { axes: [1], keepDims: true })));

/** Figure 3 of the paper. The hidden states are the texts'. */
export function clipModel(scope: Scope, { textConfig, visionConfig, projectionDim: outputSize, logitScaleInitValue }: ClipConfig, inputs: TextAndImageInputs, mode: ForwardMode): ModelOutputs {
  const text = textModel(scope.in("text_model"), textConfig, inputs, mode);
  const project = (name: string, x: Tensor, { initializerRange }: ClipTowerConfig) => unit(linear(scope.in(name), x, { outputSize, initializerRange, bias: false }));
  const imageEmbeds = project("visual_projection", visionModel(scope.in("vision_model"), visionConfig, inputs, mode), visionConfig);
  const textEmbeds = project("text_projection", atEndOfText(text.lastHiddenState, inputs.inputIds, textConfig), textConfig);
  const scale = exp(scope.parameter("logit_scale", [], constant(logitScaleInitValue)));
  return { ...text, imageEmbeds, textEmbeds, logitsPerImage: mul(matmul(imageEmbeds, textEmbeds, { transposeB: true }), scale) };
}
