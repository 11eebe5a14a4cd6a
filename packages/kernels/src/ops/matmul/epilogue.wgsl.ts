import { defineKernel, type Kernel } from "../../program/kernel.ts";
import { activationFunctions, activationWgsl, type ActivationKind, type ActivationWgsl } from "../activation/functions.ts";
import type { MatmulActivation, MatmulExtra } from "./op.ts";

/** What happens to a finished sum before it is stored. */
export interface Epilogue {
  readonly bias: boolean;
  readonly activation: MatmulActivation;
  readonly extra: MatmulExtra | null;
  /** True: what goes into the activation is stored too, for the gradient. */
  readonly keepsPreActivation: boolean;
}

export const ACTIVATION_WORKGROUP_SIZE = 64;

export const NO_EPILOGUE: Epilogue = { bias: false, activation: "identity", extra: null, keepsPreActivation: false };

export interface EpilogueWgsl {
  readonly label: string;
  readonly reads: Record<string, string>;
  readonly writes: Record<string, string>;
  readonly module: string;
  /** A statement that stores `value` at element (or vec4) `at` of y, in column (or vec4 of columns) `column`. */
  store(at: string, column: string, value: string): string;
}

/** Bindings and statements of an epilogue for stores of one element or four. */
export function epilogueWgsl({ bias, activation, extra, keepsPreActivation }: Epilogue, width: 1 | 4): EpilogueWgsl {
  const type = width === 4 ? "vec4f" : "f32";
  const end = endOf(activation, extra?.kind === "gate" ? extra.activation : null, width);
  const combine = (value: string, at: string) => (extra === null ? value : extra.kind === "residual" ? `${value} + extra[${at}]` : `${value} * ${end.gate(`extra[${at}]`)}`);
  return {
    label: `${bias ? "+bias" : ""}${extra?.kind === "residual" ? "+residual" : ""}${end.label}${keepsPreActivation ? "+keep" : ""}`,
    reads: { ...(bias && { bias: `array<${type}>` }), ...(extra && { extra: `array<${type}>` }) },
    writes: { y: `array<${type}>`, ...(keepsPreActivation && { preActivation: `array<${type}>` }) },
    module: end.module,
    store(at, column, value) {
      const sum = bias ? `(${value} + bias[${column}])` : value;
      return keepsPreActivation ? `{ let before = ${sum}; preActivation[${at}] = before; y[${at}] = ${combine(end.activated("before"), at)}; }` : `y[${at}] = ${combine(end.activated(sum), at)};`;
    },
  };
}

/** The activations of an epilogue as text: of the sum, and of the gate that it is multiplied with. */
function endOf(activation: MatmulActivation, gate: MatmulActivation | null, width: 1 | 4): { label: string; module: string; activated(value: string): string; gate(value: string): string } {
  const text = (kind: MatmulActivation) => (kind === "identity" ? { functions: {}, of: (value: string) => value } : ((known) => ({ functions: known.functions, of: (value: string) => `${known.name}(${value})` }))(activationWgsl(kind, width)));
  const [own, others] = [text(activation), text(gate ?? "identity")];
  return {
    label: `${activation === "identity" ? "" : `+${activation}`}${gate === null ? "" : `+gate-${gate}`}`,
    module: Object.values({ ...own.functions, ...others.functions }).join("\n"),
    activated: own.of,
    gate: others.of,
  };
}

const KINDS = Object.keys(activationFunctions) as ActivationKind[];

/** How `activated` knows it. */
export const activationNumber = (kind: MatmulActivation): number => (kind === "identity" ? 0 : 1 + KINDS.indexOf(kind));

/**
 * `activated(x, number)`: all activations in one text, for kernels that take seconds to compile. CPU drivers walk through every
 * branch of an `if` or a `switch`, with lanes masked; a loop that turns no time is skipped.
 */
export const anyActivation = activatedFunction(KINDS.map((kind) => activationWgsl(kind, 4)));

function activatedFunction(known: readonly ActivationWgsl[]): string {
  const functions: Record<string, string> = Object.assign({}, ...known.map((each) => each.functions));
  return `${Object.values(functions).join("\n")}
fn activated(x: vec4f, number: u32) -> vec4f {
  var y = x;
  ${known.map(({ name }, i) => `for (var turn = 0u; turn < u32(number == ${i + 1}u); turn++) { y = ${name}(y); }`).join("\n  ")}
  return y;
}`;
}

/** y = activation(x) as a pass of its own, where x is kept for the gradient. */
export function activationPassKernel(activation: MatmulActivation, width: 1 | 4): Kernel {
  const type = width === 4 ? "vec4f" : "f32";
  const { module, store } = epilogueWgsl({ ...NO_EPILOGUE, activation }, width);
  return defineKernel({
    label: `matmul/activation/${activation}/x${width}/f32`,
    reads: { x: `array<${type}>` },
    writes: { y: `array<${type}>` },
    module,
    workgroupSize: [ACTIVATION_WORKGROUP_SIZE],
    linear: true,
    body: `  ${store("index", "", "x[index]")}`,
  });
}
