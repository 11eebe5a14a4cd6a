import { dropout as dropoutOp, type Tensor } from "@heddle/kernels";

/** Whether a forward pass trains: then dropout draws its mask from `dropoutKey`, a u32 scalar that changes every step. */
export interface ForwardMode {
  readonly dropoutKey: Tensor | null;
}

export const inference: ForwardMode = { dropoutKey: null };

/** Dropout while training; the identity otherwise. */
export function dropout(x: Tensor, probability: number, { dropoutKey }: ForwardMode): Tensor {
  return dropoutKey && probability > 0 ? dropoutOp(x, probability, dropoutKey) : x;
}
