/** Value at `point`; writes the gradient into `gradient`. */
export type Objective = (point: Float64Array, gradient: Float64Array) => number;

export interface LbfgsOptions {
  /** Stops where no component of the gradient is larger. */
  readonly tolerance: number;
  readonly maxIterations: number;
}

const MEMORY = 10;
/** Sufficient decrease (Nocedal & Wright 2006, equation 3.4). */
const ARMIJO = 1e-4;

/**
 * Minimum of a smooth, strongly convex function by L-BFGS (Nocedal & Wright 2006, algorithms 7.4 and 7.5) with a
 * backtracking line search; strong convexity keeps every curvature sᵀy positive.
 */
export function minimize(objective: Objective, start: Float64Array, { tolerance, maxIterations }: LbfgsOptions): Float64Array {
  let point = start;
  let gradient = new Float64Array(point.length);
  let value = objective(point, gradient);
  const history: { step: Float64Array; change: Float64Array; curvature: number }[] = [];
  for (let iteration = 0; iteration < maxIterations && largest(gradient) > tolerance; iteration++) {
    const direction = descentDirection(gradient, history);
    const slope = dot(direction, gradient);
    let scale = history.length === 0 ? Math.min(1, 1 / Math.sqrt(dot(gradient, gradient))) : 1;
    const next = new Float64Array(point.length);
    const nextGradient = new Float64Array(point.length);
    let nextValue: number;
    for (;;) {
      for (let i = 0; i < next.length; i++) next[i] = point[i]! + scale * direction[i]!;
      nextValue = objective(next, nextGradient);
      if (nextValue <= value + ARMIJO * scale * slope) break;
      scale /= 2;
      // Rounding hides any further decrease: this is the minimum to f64 precision.
      if (scale < 1e-12) return point;
    }
    const step = difference(next, point);
    const change = difference(nextGradient, gradient);
    const curvature = dot(step, change);
    if (curvature > 0) history.push({ step, change, curvature });
    if (history.length > MEMORY) history.shift();
    [point, gradient, value] = [next, nextGradient, nextValue];
  }
  return point;
}

/** The two-loop recursion. */
function descentDirection(gradient: Float64Array, history: readonly { step: Float64Array; change: Float64Array; curvature: number }[]): Float64Array {
  const direction = gradient.map((x) => -x);
  const weights = new Array<number>(history.length);
  for (let i = history.length - 1; i >= 0; i--) {
    const { step, change, curvature } = history[i]!;
    weights[i] = dot(step, direction) / curvature;
    addScaled(direction, change, -weights[i]!);
  }
  const newest = history.at(-1);
  if (newest) {
    const scale = newest.curvature / dot(newest.change, newest.change);
    for (let i = 0; i < direction.length; i++) direction[i]! *= scale;
  }
  history.forEach(({ step, change, curvature }, i) => addScaled(direction, step, weights[i]! - dot(change, direction) / curvature));
  return direction;
}

function difference(a: Float64Array, b: Float64Array): Float64Array {
  const result = new Float64Array(a.length);
  for (let i = 0; i < a.length; i++) result[i] = a[i]! - b[i]!;
  return result;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function addScaled(target: Float64Array, source: Float64Array, scale: number): void {
  for (let i = 0; i < target.length; i++) target[i]! += scale * source[i]!;
}

function largest(values: Float64Array): number {
  let top = 0;
  for (let i = 0; i < values.length; i++) top = Math.max(top, Math.abs(values[i]!));
  return top;
}
