import { broadcastTo, concat, formatShape, HeddleError, matmul, reshape, sizeOf, slice, transpose, type Tensor, type TensorLike } from "@heddle/kernels";
import type { Extent, ImageConfig } from "../config/image.ts";
import { normal, zeros, type Scope } from "./scope.ts";

/**
 * A linear layer over each patch of an image (Dosovitskiy et al. 2020, equation 1): what a convolution is whose steps are as wide as
 * itself. Patches go from left to right, then from top to bottom; what is left at the right and at the bottom is not seen.
 *
 * @param pixels f32 [batch, channels, height, width]
 * @returns [batch, patches, hidden]
 * @throws SHAPE_MISMATCH for an image of another size than the model's
 */
export function patchEmbedding(scope: Scope, pixels: Tensor, { imageSize, patchSize, numChannels, hiddenSize }: ImageConfig, { initializerRange, bias = true }: { initializerRange: number; bias?: boolean }): Tensor {
  if (formatShape(pixels.shape.slice(1)) !== formatShape([numChannels, ...imageSize])) {
    throw new HeddleError("SHAPE_MISMATCH", `[pixelValues] must be [batch, channels, height, width] = [batch, ${numChannels}, ${imageSize.join(", ")}], got ${formatShape(pixels.shape)}: scale the images first`);
  }
  const weight = scope.parameter("weight", [hiddenSize, numChannels, ...patchSize], normal(initializerRange));
  return matmul(patchesOf(pixels, patchSize), reshape(weight, [hiddenSize, numChannels * sizeOf(patchSize)]), { transposeB: true, ...(bias && { bias: scope.parameter("bias", [hiddenSize], zeros) }) });
}

/** [batch, channels, height, width] → [batch, patches, channels · patch height · patch width]. */
function patchesOf(pixels: Tensor, [patchHeight, patchWidth]: Extent): Tensor {
  const [batch, channels, height, width] = pixels.shape as [number, number, number, number];
  const [rows, columns] = [Math.floor(height / patchHeight), Math.floor(width / patchWidth)];
  const whole = slice(slice(pixels, { axis: 2, end: rows * patchHeight }), { axis: 3, end: columns * patchWidth });
  const cut = reshape(whole, [batch, channels, rows, patchHeight, columns, patchWidth]);
  return reshape(transpose(cut, [0, 2, 4, 1, 3, 5]), [batch, rows * columns, channels * patchHeight * patchWidth]);
}

/** A learned token of hidden numbers before each row of x [batch, length, hidden] → [batch, length + 1, hidden]. */
export function withClassToken(token: TensorLike, x: Tensor): Tensor {
  const [batch, , hidden] = x.shape as [number, number, number];
  return concat([broadcastTo(reshape(token, [1, 1, hidden]), [batch, 1, hidden]), x], 1);
}
