import { concat, matmul, pad, reshape, slice, transpose, type ActivationName, type Tensor } from "@heddle/kernels";
import { normal, zeros, type Scope } from "./scope.ts";

export interface Convolution1dOptions {
  readonly channels: number;
  readonly kernel: number;
  readonly stride?: number;
  readonly activation?: ActivationName;
  readonly initializerRange: number;
}

/**
 * A convolution along the length, padded on both sides by half a kernel: PyTorch's nn.Conv1d, as a product of what each place sees.
 * x [batch, length, in] → [batch, ⌈length / stride⌉, channels]; the weight is stored [channels, in, kernel].
 */
export function convolution1d(scope: Scope, x: Tensor, { channels, kernel, stride = 1, activation, initializerRange }: Convolution1dOptions): Tensor {
  const [batch, length, inputs] = x.shape as [number, number, number];
  const side = Math.floor(kernel / 2);
  const outputs = Math.floor((length + 2 * side - kernel) / stride) + 1;
  // Rows of `stride` places each, so that every stride-th place is a slice.
  const rows = Math.ceil((kernel - 1) / stride) + outputs;
  const padded = pad(x, { axis: 1, before: side, after: Math.max(side, rows * stride - length - side) });
  const taps = Array.from({ length: kernel }, (_, tap) => {
    const [row, column] = [Math.floor(tap / stride), tap % stride];
    if (stride === 1) return slice(padded, { axis: 1, begin: tap, end: tap + outputs });
    const byRow = reshape(slice(padded, { axis: 1, begin: 0, end: rows * stride }), [batch, rows, stride * inputs]);
    return slice(slice(byRow, { axis: 1, begin: row, end: row + outputs }), { axis: 2, begin: column * inputs, end: (column + 1) * inputs });
  });
  const weight = reshape(transpose(scope.parameter("weight", [channels, inputs, kernel], normal(initializerRange)), [0, 2, 1]), [channels, kernel * inputs]);
  return matmul(concat(taps, 2), weight, { transposeB: true, bias: scope.parameter("bias", [channels], zeros), ...(activation && { activation }) });
}
