import { HeddleError } from "@heddle/kernels";
import type { Agreement } from "./row.ts";

/** max |a − b|; infinite for NaN and for different lengths. */
export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return largest(a, b, () => 1);
}

/** max |a − b| / |b|; infinite for NaN and for different lengths. */
export function largestRelativeDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return largest(a, b, (wanted) => Math.abs(wanted));
}

function largest(a: ArrayLike<number>, b: ArrayLike<number>, scale: (wanted: number) => number): number {
  if (a.length !== b.length) return Infinity;
  let worst = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = a[i] === b[i] ? 0 : Math.abs(a[i]! - b[i]!) / scale(b[i]!);
    // Written so that NaN is the worst.
    if (!(difference <= worst)) worst = Number.isNaN(difference) ? Infinity : difference;
  }
  return worst;
}

/** Throws RUNTIME_FAILED unless every peer computes what Heddle does: a time for other numbers says nothing. */
export function assertAgreement(where: string, { measure, tolerance, differences }: Agreement): void {
  for (const [peer, difference] of Object.entries(differences)) {
    if (difference <= tolerance) continue;
    throw new HeddleError("RUNTIME_FAILED", `[${where}] ${measure} from ${peer} is ${difference.toExponential(1)}, at most ${tolerance.toExponential(1)} is allowed: the two do not do the same work, so they were not timed`);
  }
}
