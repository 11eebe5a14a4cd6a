import { HeddleError } from "../../errors.ts";
import type { Tensor } from "../../program/tensor.ts";
import { mean, sum } from "../reduce/op.ts";

/** How losses of many elements become one: PyTorch's names. */
export type LossReduction = "mean" | "sum" | "none";

/** Throws INVALID_ARGUMENT for another name. */
export function reduceLoss(losses: Tensor, reduction: LossReduction, where: string): Tensor {
  if (reduction === "none") return losses;
  if (reduction === "sum") return sum(losses);
  if (reduction === "mean") return mean(losses);
  throw new HeddleError("INVALID_ARGUMENT", `[${where}] reduction must be "mean", "sum" or "none", got ${JSON.stringify(reduction)}`);
}
