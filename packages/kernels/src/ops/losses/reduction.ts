import { HeddleError } from "../../errors.ts";
import type { Tensor } from "../../program/tensor.ts";
import { mean, sum } from "../reduce/op.ts";

/** How losses of many elements become one: PyTorch's names. */
export type LossReduction = "mean" | "sum" | "none";

/** Throws INVALID_ARGUMENT for another name. */
export function checkReduction(reduction: string, where: string): void {
  if (!["mean", "sum", "none"].includes(reduction)) throw new HeddleError("INVALID_ARGUMENT", `[${where}] reduction must be "mean", "sum" or "none", got ${JSON.stringify(reduction)}`);
}

/** Throws INVALID_ARGUMENT for an unknown reduction. */
export function reduceLoss(losses: Tensor, reduction: LossReduction, where: string): Tensor {
  checkReduction(reduction, where);
  if (reduction === "none") return losses;
  return reduction === "sum" ? sum(losses) : mean(losses);
}
