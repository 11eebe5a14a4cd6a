import type { Tensor, TensorLike } from "@heddle/kernels";

/** What encoders read. All [batch, length], i32; `attentionMask` is 1 for tokens and 0 for padding. */
export interface EncoderInputs {
  readonly inputIds: Tensor;
  readonly attentionMask?: Tensor;
  readonly tokenTypeIds?: Tensor;
}

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
  readonly weight: TensorLike;
  /** [vocabulary]. */
  readonly bias: TensorLike;
}

/** Which logits exist depends on the head. */
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
}
