import { formatShape, type HostTensor } from "@heddle/kernels";

/** How far one tensor is from its reference. */
export interface Comparison {
  /** Largest |difference| divided by the scale; Infinity where a number is NaN or the shapes differ. */
  readonly error: number;
  /** For people: the worst element, or the shapes. */
  readonly where: string;
}

/**
 * Compares element by element on the scale max(`floor`, max |reference|).
 *
 * @param seen [batch, length] of 0 and 1: of tensors [batch, length, …] only the tokens with 1 are compared
 */
export function compareTensors(name: string, actual: HostTensor | undefined, wanted: HostTensor, floor: number, seen?: HostTensor): Comparison {
  if (!actual) return { error: Infinity, where: `${name} is missing, wanted ${formatShape(wanted.shape)}` };
  if (actual.data.length !== wanted.data.length) return { error: Infinity, where: `${name} has shape ${formatShape(actual.shape)}, wanted ${formatShape(wanted.shape)}` };
  const scale = Math.max(floor, largest(wanted.data));
  const perToken = seen && formatShape(wanted.shape.slice(0, 2)) === formatShape(seen.shape) ? wanted.data.length / seen.data.length : null;
  let [error, worst] = [0, 0];
  for (let i = 0; i < wanted.data.length; i++) {
    if (perToken !== null && seen!.data[Math.floor(i / perToken)] === 0) continue;
    const difference = Math.abs(actual.data[i]! - wanted.data[i]!) / scale;
    if (difference <= error) continue;
    [error, worst] = [Number.isNaN(difference) ? Infinity : difference, i];
  }
  return { error, where: `${name}[${worst}] is ${actual.data[worst]}, wanted ${wanted.data[worst]}` };
}

export function largest(values: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]!));
  return most;
}

/** One part of a case: the worst of its comparisons, and the first one that is too far off. */
export class Tally {
  worst = 0;
  firstFailure: string | null = null;

  constructor(readonly tolerance: number) {}

  add({ error, where }: Comparison): void {
    this.worst = Math.max(this.worst, error);
    if (!(error <= this.tolerance)) this.firstFailure ??= `${where} (error ${error.toExponential(1)}, tolerance ${this.tolerance.toExponential(1)})`;
  }
}
