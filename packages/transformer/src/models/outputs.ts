import type { Tensor, TensorLike } from "@heddle/kernels";
import type { Weight } from "../nn/scope.ts";

export interface EncoderOutputs {
  /** The embeddings' output, then every layer's: each [batch, length, hidden]. */
  readonly hiddenStates: readonly Tensor[];
  readonly lastHiddenState: Tensor;
}

/** A linear layer over a vocabulary. */
export interface Decoder {
  /** [batch, length, size]. */
  readonly hidden: Tensor;
  /** [vocabulary, size]. */
  readonly weight: Weight;
  /** [vocabulary]. */
  readonly bias?: TensorLike;
  /** Scores become softCap · tanh(score / softCap). */
  readonly softCap?: number;
}

/** Which logits exist depends on the head. Of a model with two halves, the hidden states are those of the one that writes. */
export interface ModelOutputs extends EncoderOutputs {
  /** [batch, labels], [batch, length, labels] or [batch, length, vocabulary]. */
  readonly logits?: Tensor;
  /** What logits over a vocabulary come from: the loss alone does not need them. */
  readonly decoder?: Decoder;
  /** tanh(W h₀ + b) of the first token, [batch, hidden]; only of a bare encoder that has a pooler. */
  readonly poolerOutput?: Tensor;
  /** [batch, length]. */
  readonly startLogits?: Tensor;
  readonly endLogits?: Tensor;
  /** What a sequence-to-sequence model read. */
  readonly encoder?: EncoderOutputs;
  /** Of a model of images and texts: unit vectors [images, size] and [texts, size], and their scaled products [images, texts]. */
  readonly imageEmbeds?: Tensor;
  readonly textEmbeds?: Tensor;
  readonly logitsPerImage?: Tensor;
}
