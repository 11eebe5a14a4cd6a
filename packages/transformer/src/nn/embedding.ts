import { embedding as embeddingOp, type Tensor } from "@heddle/kernels";
import { normal, type Scope } from "./scope.ts";

export interface EmbeddingOptions {
  count: number;
  size: number;
  initializerRange: number;
  /** Padding's row, which learns nothing: torch's padding_idx. */
  paddingIndex?: number;
}

/** Rows of a table. ids i32 [...] → [..., size]. */
export function embedding(scope: Scope, ids: Tensor, { count, size, initializerRange, paddingIndex }: EmbeddingOptions): Tensor {
  return embeddingOp(scope.matrix("weight", [count, size], normal(initializerRange)), ids, { ...(paddingIndex !== undefined && { paddingIndex }) });
}
