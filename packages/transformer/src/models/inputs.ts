import type { Tensor, TensorType } from "@heddle/kernels";
import { HeddleError } from "@heddle/kernels";
import type { ImageConfig } from "../config/image.ts";
import type { KeyValueCache } from "../nn/key-value-cache.ts";

/** What encoders read. All [batch, length], i32; `attentionMask` is 1 for tokens and 0 for padding. */
export interface EncoderInputs {
  readonly inputIds: Tensor;
  readonly attentionMask?: Tensor | undefined;
  readonly tokenTypeIds?: Tensor | undefined;
}

/** What decoders read: a text, or what comes after the tokens of a cache. */
export interface DecoderInputs {
  readonly inputIds: Tensor;
  readonly attentionMask?: Tensor | undefined;
  readonly cache?: KeyValueCache | undefined;
}

/** What models read that make one text of another, or of a sound. */
export interface Seq2SeqInputs {
  readonly inputIds?: Tensor | undefined;
  readonly inputFeatures?: Tensor | undefined;
  readonly attentionMask?: Tensor | undefined;
  readonly decoderInputIds: Tensor;
}

/** What models of images read. */
export interface ImageInputs {
  /** f32 [batch, channels, height, width], normalised. */
  readonly pixelValues: Tensor;
}

/** What a model of texts and images reads: a batch of each. */
export interface TextAndImageInputs extends ImageInputs {
  /** i32 [batch, length], as encoders have them. */
  readonly inputIds: Tensor;
  readonly attentionMask?: Tensor | undefined;
}

/** All that models read; each takes some of it. Ids are i32 [batch, length]. */
export interface ModelInputs {
  readonly inputIds?: Tensor | undefined;
  readonly attentionMask?: Tensor | undefined;
  readonly tokenTypeIds?: Tensor | undefined;
  /** The text that a sequence-to-sequence model writes, from its start token on. */
  readonly decoderInputIds?: Tensor | undefined;
  /** f32 [batch, channels, height, width], normalised. */
  readonly pixelValues?: Tensor | undefined;
  /** Log-mel spectrogram, f32 [batch, mel bins, frames]. */
  readonly inputFeatures?: Tensor | undefined;
  readonly cache?: KeyValueCache | undefined;
}

export type InputName = Exclude<keyof ModelInputs, "cache">;

/** By the names of `ModelInputs`. */
export const INPUT_NAMES: readonly InputName[] = ["inputIds", "attentionMask", "tokenTypeIds", "decoderInputIds", "pixelValues", "inputFeatures"];

/** Those tensors of a batch that a model reads; the others are labels. */
export function splitInputs(tensors: Readonly<Record<string, Tensor>>): { inputs: ModelInputs; labels: Record<string, Tensor> } {
  const isInput = (name: string) => (INPUT_NAMES as readonly string[]).includes(name);
  const part = (wanted: boolean) => Object.fromEntries(Object.entries(tensors).filter(([name]) => isInput(name) === wanted));
  return { inputs: part(true), labels: part(false) };
}

/** The inputs of a model that cannot do without some. Throws INPUT_MISSING. */
export function requireInputs<K extends InputName>(model: string, inputs: ModelInputs, names: readonly K[]): ModelInputs & { readonly [N in K]: Tensor } {
  const missing = names.filter((name) => inputs[name] === undefined);
  if (missing.length > 0) throw new HeddleError("INPUT_MISSING", `[${model}] wants ${names.join(", ")}; ${missing.join(", ")} ${missing.length > 1 ? "are" : "is"} missing`);
  return inputs as ModelInputs & { readonly [N in K]: Tensor };
}

/** The types of a model's smallest inputs: what it is traced with to find its parameters. */
export type SmallestInputs = Readonly<Partial<Record<InputName, TensorType>>>;

const ids: TensorType = { dtype: "i32", shape: [1, 1] };

/** A history tells its padding by the padding's id. */
export const ONE_ITEM: SmallestInputs = { inputIds: ids };
export const ONE_TOKEN: SmallestInputs = { inputIds: ids, attentionMask: ids };
export const ONE_TYPED_TOKEN: SmallestInputs = { ...ONE_TOKEN, tokenTypeIds: ids };
export const ONE_TOKEN_EACH: SmallestInputs = { ...ONE_TOKEN, decoderInputIds: ids };

/** One image of the model's size. */
export const oneImage = ({ numChannels, imageSize }: Pick<ImageConfig, "numChannels" | "imageSize">): SmallestInputs => ({ pixelValues: { dtype: "f32", shape: [1, numChannels, ...imageSize] } });
