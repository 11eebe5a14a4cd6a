/** The largest number of a tensor, by its absolute value. */
export const largest = (tensor: ArrayLike<number>): number => apart(tensor, new Float32Array(tensor.length));

/** How far the two numbers are apart that are furthest. */
export function apart(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i]! - b[i]!));
  return most;
}
