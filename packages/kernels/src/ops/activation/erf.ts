/**
 * erfc(t) for t ≥ 0 as exp(−t·Q(t)), Q of degree 7: fitted here to −ln(erfc t)/t on [0, 6] at Chebyshev nodes, reweighted
 * (Lawson) for the least largest error. In f32 erfc is within 1.6e-7 and GELU within 5e-8 of the exact values; the
 * exponential form keeps GELU's negative tail, which 1 − erf would cancel. (Abramowitz & Stegun 7.1.26, the usual choice,
 * is ten times coarser than f32.)
 */
const Q = [1.12838233, 0.636567533, 0.10306374, -0.0198984668, 0.000893096556, 0.000816859945, -0.00024299181, 2.35107673e-5];
const Q_LIMIT = 6;

/** WGSL of `erfcPositive(t)`, named `erfcPositive4` at width 4. t ≥ 0. */
export function erfcPositiveWgsl(width: 1 | 4): string {
  const type = width === 4 ? "vec4f" : "f32";
  const horner = Q.slice(0, -1).reduceRight((rest, coefficient) => `(${rest} * t + ${coefficient})`, `${type}(${Q.at(-1)})`);
  return `fn ${width === 4 ? "erfcPositive4" : "erfcPositive"}(positive: ${type}) -> ${type} {
  let t = min(positive, ${type}(${Q_LIMIT}));
  return exp(-t * ${horner});
}`;
}

/**
 * The error function in f64: its all-positive series near 0 (Abramowitz & Stegun 7.1.6), the continued fraction of erfc
 * beyond (7.1.14).
 */
export function erf(x: number): number {
  return x < 0 ? erfcPositive(-x) - 1 : 1 - erfcPositive(x);
}

function erfcPositive(t: number): number {
  if (t > 27) return 0;
  const gaussian = Math.exp(-t * t) / Math.sqrt(Math.PI);
  if (t < 2.5) {
    let sum = 0;
    for (let n = 0, term = t; term > 1e-18 * sum; n++, term *= (2 * t * t) / (2 * n + 1)) sum += term;
    return 1 - 2 * gaussian * sum;
  }
  let fraction = t;
  for (let n = 120; n > 0; n--) fraction = t + n / 2 / fraction;
  return gaussian / fraction;
}

/** Φ(x), the standard normal distribution function, in f64; it keeps its relative precision for negative x. */
export function normalCdf(x: number): number {
  const tail = erfcPositive(Math.abs(x) / Math.SQRT2) / 2;
  return x < 0 ? tail : 1 - tail;
}
