import { erfcPositiveWgsl, normalCdf } from "./erf.ts";

/** One scalar function and its derivative, in WGSL and in f64. */
interface ActivationFunction {
  /** Statements that return the value for `x: T`. `number` spells a constant of type T. */
  value(number: (value: number) => string, suffix: string): string;
  derivative(number: (value: number) => string, suffix: string): string;
  /** Functions that the statements call. */
  needs?(width: 1 | 4): Record<string, string>;
  reference(x: number): number;
  referenceDerivative(x: number): number;
}

/** √(2/π) and the cubic term of GELU's tanh approximation (Hendrycks & Gimpel 2016, section 2). */
export const TANH_SCALE = Math.sqrt(2 / Math.PI);
export const TANH_CUBIC = 0.044715;
export const QUICK_SCALE = 1.702;

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** x·σ(z(x)): SiLU and two approximations of GELU. `z` and `slope` (dz/dx) are WGSL over `u`, x cut to where σ saturates. */
function gated(z: string, slope: string, reference: (x: number) => number, referenceSlope: (x: number) => number, cut: number): ActivationFunction {
  // exp overflows f32 past 88; σ(−80) is 0 for every use of it.
  const gate = (number: (value: number) => string) => `
  let u = clamp(x, ${number(-cut)}, ${number(cut)});
  let gate = 1.0 / (1.0 + exp(-clamp(${z}, ${number(-80)}, ${number(80)})));`;
  return {
    value: (number) => `${gate(number)}\n  return max(x, ${number(-cut)}) * gate;`,
    derivative: (number) => `${gate(number)}\n  return gate + u * gate * (1.0 - gate) * (${slope});`,
    reference: (x) => x * sigmoid(reference(x)),
    referenceDerivative: (x) => sigmoid(reference(x)) * (1 + x * (1 - sigmoid(reference(x))) * referenceSlope(x)),
  };
}

const functions = {
  relu: {
    value: (number) => `return max(x, ${number(0)});`,
    derivative: (number) => `return select(${number(0)}, ${number(1)}, x > ${number(0)});`,
    reference: (x) => Math.max(x, 0),
    referenceDerivative: (x) => (x > 0 ? 1 : 0),
  },
  // x·Φ(x) as max(x, 0) − ½|x|·erfc(|x|/√2): nothing cancels in the negative tail, which is over by 12.
  gelu: {
    needs: (width) => ({ [width === 4 ? "erfcPositive4" : "erfcPositive"]: erfcPositiveWgsl(width) }),
    value: (number, suffix) => `return max(x, ${number(0)}) - 0.5 * min(abs(x), ${number(12)}) * erfcPositive${suffix}(abs(x) * ${Math.SQRT1_2});`,
    derivative: (number, suffix) => `
  let tail = 0.5 * erfcPositive${suffix}(abs(x) * ${Math.SQRT1_2});
  let cut = clamp(x, ${number(-12)}, ${number(12)});
  return select(tail, 1.0 - tail, x >= ${number(0)}) + cut * ${1 / Math.sqrt(2 * Math.PI)} * exp(-0.5 * cut * cut);`,
    reference: (x) => x * normalCdf(x),
    referenceDerivative: (x) => normalCdf(x) + (x * Math.exp(-0.5 * x * x)) / Math.sqrt(2 * Math.PI),
  },
  // ½·(1 + tanh z) is σ(2z), which needs no tanh.
  geluTanh: gated(
    `u * (${2 * TANH_SCALE} + ${2 * TANH_SCALE * TANH_CUBIC} * u * u)`,
    `${2 * TANH_SCALE} + ${6 * TANH_SCALE * TANH_CUBIC} * u * u`,
    (x) => 2 * TANH_SCALE * (x + TANH_CUBIC * x ** 3),
    (x) => 2 * TANH_SCALE * (1 + 3 * TANH_CUBIC * x * x),
    30,
  ),
  geluQuick: gated(`u * ${QUICK_SCALE}`, `${QUICK_SCALE}`, (x) => QUICK_SCALE * x, () => QUICK_SCALE, 60),
  silu: gated("u", "1.0", (x) => x, () => 1, 80),
  softplus: {
    // ln(1 + e) loses e below f32's rounding of 1 + e; the second-order series does not.
    value: (number) => `
  let e = exp(-min(abs(x), ${number(80)}));
  return max(x, ${number(0)}) + select(log(1.0 + e), e - 0.5 * e * e, e < ${number(1e-3)});`,
    derivative: (number) => `return 1.0 / (1.0 + exp(-clamp(x, ${number(-80)}, ${number(80)})));`,
    reference: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
    referenceDerivative: sigmoid,
  },
  // SwiftShader's tanh(100) is NaN; tanh(±15) is ±1 in f32.
  tanh: {
    value: (number) => `return tanh(clamp(x, ${number(-15)}, ${number(15)}));`,
    derivative: (number) => `
  let y = tanh(clamp(x, ${number(-15)}, ${number(15)}));
  return 1.0 - y * y;`,
    reference: Math.tanh,
    referenceDerivative: (x) => 1 - Math.tanh(x) ** 2,
  },
} satisfies Record<string, ActivationFunction>;

export type ActivationKind = keyof typeof functions;

export const activationFunctions: Readonly<Record<ActivationKind, ActivationFunction>> = functions;

export interface ActivationWgsl {
  /** Name of the function to call: `gelu1` on f32, `gelu4` on vec4f; `geluDerivative1`, `geluDerivative4`. */
  readonly name: string;
  /** Module-scope texts by function name, those it calls first. */
  readonly functions: Readonly<Record<string, string>>;
}

/** WGSL of an activation or of its derivative, for kernels that apply it to what they hold (a matmul's epilogue). */
export function activationWgsl(kind: ActivationKind, width: 1 | 4, order: "value" | "derivative" = "value"): ActivationWgsl {
  const { needs, [order]: body } = activationFunctions[kind];
  const type = width === 4 ? "vec4f" : "f32";
  const suffix = width === 4 ? "4" : "";
  // The width always, as WGSL has a tanh of its own.
  const name = `${kind}${order === "value" ? "" : "Derivative"}${width}`;
  const text = `fn ${name}(x: ${type}) -> ${type} {\n  ${body((value) => `${type}(${value})`, suffix)}\n}`;
  return { name, functions: { ...needs?.(width), [name]: text } };
}
