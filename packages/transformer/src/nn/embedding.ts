import { embedding as embeddingOp, type Tensor } from "@heddle/kernels";
import { normal, type Scope } from "./scope.ts";

/** Rows of a table. ids i32 [...] → [..., size]. */
export function embedding(scope: Scope, ids: Tensor, { count, size, initializerRange }: { count: number; size: number; initializerRange: number }): Tensor {
  return embeddingOp(scope.parameter("weight", [count, size], normal(initializerRange)), ids);
}
