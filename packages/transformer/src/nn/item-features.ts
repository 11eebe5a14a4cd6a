import { add, embedding, matmul, scatterAdd, type Tensor, type TensorLike } from "@heddle/kernels";
import { normal, zeros, type Scope } from "./scope.ts";

/** What items have beside an embedding of their own. */
export interface ItemFeatureSizes {
  readonly numCategories: number;
  /** Numbers of each item: prices and the like, and the elements of its embedding by an encoder. */
  readonly numValues: number;
  readonly hiddenSize: number;
  readonly initializerRange: number;
}

/** Which items have which features. A pair stands for each category of each item, so that one with many costs the others nothing. */
export interface ItemFeatureInputs {
  /** i32 [pairs]: the item's row, ascending; one outside of the rows only fills up the shape. There where there are categories. */
  readonly pairRows?: TensorLike | undefined;
  /** i32 [pairs], beside pairRows. */
  readonly pairCategories?: TensorLike | undefined;
  /** f32 [rows, numValues], on a common scale; there where there are values. */
  readonly values?: TensorLike | undefined;
}

/**
 * What features alone say of items: the sum of the embeddings of its categories, as in LightFM (Kula 2015, arXiv:1507.08439, section
 * 3.2), a linear map of its values, and a part that all have, which is all there is of an item without features.
 *
 * @returns f32 [rows, hidden]
 */
export function itemFeatureVectors(scope: Scope, rows: number, { pairRows, pairCategories, values }: ItemFeatureInputs, { numCategories, numValues, hiddenSize, initializerRange }: ItemFeatureSizes): Tensor {
  const parts: TensorLike[] = [];
  if (numCategories > 0) {
    const table = scope.in("categories").parameter("weight", [numCategories, hiddenSize], normal(initializerRange));
    parts.push(scatterAdd(pairRows!, embedding(table, pairCategories!), rows));
  }
  if (numValues > 0) parts.push(matmul(values!, scope.in("values").parameter("weight", [numValues, hiddenSize], normal(initializerRange))));
  return parts.reduce<Tensor>((total, part) => add(part, total), add(scope.parameter("bias", [hiddenSize], zeros), 0));
}
