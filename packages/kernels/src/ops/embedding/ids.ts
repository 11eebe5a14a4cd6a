import { HeddleError } from "../../errors.ts";
import { formatShape, type Shape, type TensorType } from "../../program/types.ts";

/** Throws DTYPE_MISMATCH or SHAPE_MISMATCH for what is no table's shape and numbers of its rows. */
export function checkIds(table: Shape, ids: TensorType): void {
  if (ids.dtype !== "i32") throw new HeddleError("DTYPE_MISMATCH", `[embedding] wants i32 ids, got ${ids.dtype}; convert with cast()`);
  if (table.length !== 2 || table[0] === 0) throw new HeddleError("SHAPE_MISMATCH", `[embedding] the table must be [vocabulary, features] with at least one row, got ${formatShape(table)}`);
}
