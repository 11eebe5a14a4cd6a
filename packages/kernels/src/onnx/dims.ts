/** An extent that differs from run to run: coefficient · symbols + offset, such as 12·batch or length − 1. */
export interface SymbolicDim {
  readonly coefficient: number;
  /** Names of axes of inputs, multiplied. */
  readonly symbols: readonly string[];
  readonly offset: number;
}

/** An extent of a tensor in a graph that may serve many shapes. */
export type Dim = number | SymbolicDim;

export function sameDim(a: Dim, b: Dim): boolean {
  return typeof a === "number" || typeof b === "number" ? a === b : spellDim(a) === spellDim(b);
}

/** `12*batch+1`: the name of the extent in files and errors. */
export function spellDim(dim: Dim): string {
  if (typeof dim === "number") return String(dim);
  const { coefficient, symbols, offset } = dim;
  const product = [...(coefficient === 1 ? [] : [coefficient]), ...symbols].join("*");
  return offset === 0 ? product : `${product}${offset > 0 ? "+" : ""}${offset}`;
}

/** Whether operands of these shapes broadcast to exactly `wanted`, whatever the symbols stand for. */
export function broadcastsTo(shapes: readonly (readonly Dim[])[], wanted: readonly Dim[]): boolean {
  return wanted.every((extent, axis) => {
    const extents = shapes.map((shape) => shape[axis - (wanted.length - shape.length)] ?? 1);
    return extents.every((one) => one === 1 || sameDim(one, extent)) && (extent === 1 || extents.some((one) => sameDim(one, extent)));
  });
}
