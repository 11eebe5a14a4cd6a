import type { NdArray, ReferenceContext } from "../../reference/ndarray.ts";
import { activationFunctions } from "../activation/functions.ts";
import { optionalInputs, type MatmulActivation, type MatmulAttributes } from "./op.ts";

const activate = (activation: MatmulActivation, x: number): number => (activation === "identity" ? x : activationFunctions[activation].reference(x));

/** A function of its own, as what is called often is compiled early: the self-check at load runs this once, and waits for it. */
function sumOfProducts(start: number, a: NdArray["data"], aBegin: number, aStride: number, b: NdArray["data"], bBegin: number, bStride: number, count: number): number {
  let total = start;
  for (let l = 0; l < count; l++) total += a[aBegin + l * aStride]! * b[bBegin + l * bStride]!;
  return total;
}

export function referenceMatmul([a, b, ...others]: readonly NdArray[], attributes: MatmulAttributes, context: ReferenceContext): NdArray[] {
  const { transposeA, transposeB, activation, extra } = attributes;
  const { bias, extra: other } = optionalInputs(others, attributes);
  const [aRows, aColumns] = a!.shape.slice(-2) as [number, number];
  const [bRows, bColumns] = b!.shape.slice(-2) as [number, number];
  const [m, k] = transposeA ? [aColumns, aRows] : [aRows, aColumns];
  const n = transposeB ? bRows : bColumns;
  const [leadA, leadB] = [a!.shape.slice(0, -2), b!.shape.slice(0, -2)];
  const size = (shape: readonly number[]) => shape.reduce((product, extent) => product * extent, 1);
  const lead = size(leadA) === size(leadB) ? (leadA.length >= leadB.length ? leadA : leadB) : size(leadB) === 1 ? leadA : leadB;
  const y = context.zeros("f32", [...lead, m, n]);
  const before = context.zeros("f32", [...lead, m, n]);
  const [aData, bData] = [a!.data, b!.data];
  // From one step of the sum to the next.
  const [aStride, bStride] = [transposeA ? m : 1, transposeB ? 1 : n];
  for (let batch = 0; batch < size(lead); batch++) {
    const aStart = size(leadA) === 1 ? 0 : batch * m * k;
    const bStart = size(leadB) === 1 ? 0 : batch * k * n;
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        const total = sumOfProducts(bias ? bias.data[j]! : 0, aData, aStart + (transposeA ? i : i * k), aStride, bData, bStart + (transposeB ? j * k : j), bStride, k);
        const at = (batch * m + i) * n + j;
        before.data[at] = total;
        const result = activate(activation, total);
        y.data[at] = !extra ? result : extra.kind === "residual" ? result + other!.data[at]! : result * activate(extra.activation, other!.data[at]!);
      }
    }
  }
  return activation === "identity" ? [y] : [y, before];
}
