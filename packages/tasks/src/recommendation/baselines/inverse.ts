import { compile, matmul, type Device } from "@heddle/kernels";

/** [rows, inner] · [inner, columns], row by row. */
export type Multiply = (a: Float32Array, b: Float32Array, sizes: { readonly rows: number; readonly inner: number; readonly columns: number }) => Promise<Float32Array> | Float32Array;

/** In plain loops: for matrices small enough that no device is worth its start. */
export const multiplyHere: Multiply = (a, b, { rows, inner, columns }) => {
  const product = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const own = product.subarray(row * columns, (row + 1) * columns);
    for (let k = 0; k < inner; k++) {
      const factor = a[row * inner + k]!;
      if (factor === 0) continue;
      const other = b.subarray(k * columns, (k + 1) * columns);
      for (let column = 0; column < columns; column++) own[column]! += factor * other[column]!;
    }
  }
  return product;
};

/** On a device. Dispose of it when done. */
export function multiplyOn(device: Device): { multiply: Multiply; dispose(): void } {
  const compiled = compile(device, "product", ({ a, b }) => ({ product: matmul(a!, b!) }));
  return {
    async multiply(a, b, { rows, inner, columns }) {
      const { product } = await compiled.run({ a: { shape: [rows, inner], data: a }, b: { shape: [inner, columns], data: b } });
      return product!.data as Float32Array;
    },
    dispose: () => compiled.dispose(),
  };
}

/** Rows eliminated at once: large enough that nearly all work is products of large matrices. */
const BLOCK = 256;

/**
 * Inverts a positive definite matrix in place by Gauss-Jordan elimination in blocks, which needs no pivots there (Quintana et
 * al. 2001, "A Note on Parallel Matrix Inversion"). n³ multiplications, nearly all of them in `multiply`.
 *
 * @param matrix [size, size]
 */
export async function invert(matrix: Float32Array, size: number, multiply: Multiply): Promise<void> {
  for (let begin = 0; begin < size; begin += BLOCK) {
    const block = Math.min(BLOCK, size - begin);
    const pivot = invertBlock(matrix, size, begin, block);
    // Row panel [block, size] and column panel [size, block] of the matrix as it stands, without the pivot block.
    const row = new Float32Array(block * size);
    const column = new Float32Array(size * block);
    for (let i = 0; i < block; i++) {
      row.set(matrix.subarray((begin + i) * size, (begin + i + 1) * size), i * size);
      row.fill(0, i * size + begin, i * size + begin + block);
    }
    for (let i = 0; i < size; i++) if (i < begin || i >= begin + block) column.set(matrix.subarray(i * size + begin, i * size + begin + block), i * block);
    const scaledRow = await multiply(pivot, row, { rows: block, inner: block, columns: size });
    const update = await multiply(column, scaledRow, { rows: size, inner: block, columns: size });
    const scaledColumn = await multiply(column, pivot, { rows: size, inner: block, columns: block });
    for (let i = 0; i < matrix.length; i++) matrix[i]! -= update[i]!;
    for (let i = 0; i < size; i++) for (let j = 0; j < block; j++) matrix[i * size + begin + j] = -scaledColumn[i * block + j]!;
    for (let i = 0; i < block; i++) {
      matrix.set(scaledRow.subarray(i * size, (i + 1) * size), (begin + i) * size);
      matrix.set(pivot.subarray(i * block, (i + 1) * block), (begin + i) * size + begin);
    }
  }
}

/** The inverse of the block on the diagonal from `begin`: [block, block], in f64 on the way. */
function invertBlock(matrix: Float32Array, size: number, begin: number, block: number): Float32Array {
  const a = new Float64Array(block * block);
  for (let i = 0; i < block; i++) a.set(matrix.subarray((begin + i) * size + begin, (begin + i) * size + begin + block), i * block);
  for (let k = 0; k < block; k++) {
    const pivot = 1 / a[k * block + k]!;
    a[k * block + k] = 1;
    for (let j = 0; j < block; j++) a[k * block + j]! *= pivot;
    for (let i = 0; i < block; i++) {
      if (i === k) continue;
      const factor = a[i * block + k]!;
      a[i * block + k] = 0;
      for (let j = 0; j < block; j++) a[i * block + j]! -= factor * a[k * block + j]!;
    }
  }
  return Float32Array.from(a);
}
