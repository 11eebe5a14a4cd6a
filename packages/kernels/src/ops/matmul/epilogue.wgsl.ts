import { defineKernel, type Kernel } from "../../program/kernel.ts";
import { activationWgsl } from "../activation/functions.ts";
import type { MatmulActivation } from "./op.ts";

/** What happens to a finished sum before it is stored. */
export interface Epilogue {
  readonly bias: boolean;
  readonly activation: MatmulActivation;
  /** True: what goes into the activation is stored too, for the gradient. */
  readonly keepsPreActivation: boolean;
}

export const ACTIVATION_WORKGROUP_SIZE = 64;

export const NO_EPILOGUE: Epilogue = { bias: false, activation: "identity", keepsPreActivation: false };

export interface EpilogueWgsl {
  readonly label: string;
  readonly reads: Record<string, string>;
  readonly writes: Record<string, string>;
  readonly module: string;
  /** A statement that stores `value` at element (or vec4) `at` of y, in column (or vec4 of columns) `column`. */
  store(at: string, column: string, value: string): string;
}

/** Bindings and statements of an epilogue for stores of one element or four. */
export function epilogueWgsl({ bias, activation, keepsPreActivation }: Epilogue, width: 1 | 4): EpilogueWgsl {
  const type = width === 4 ? "vec4f" : "f32";
  const plain = activation === "identity" || activation === "tanh";
  const text = plain ? null : activationWgsl(activation, width);
  // tanh(100) is NaN on SwiftShader; tanh(±15) is ±1 in f32.
  const apply = (value: string) => (activation === "tanh" ? `tanh(clamp(${value}, ${type}(-15), ${type}(15)))` : text ? `${text.name}(${value})` : value);
  return {
    label: `${bias ? "+bias" : ""}${activation === "identity" ? "" : `+${activation}`}${keepsPreActivation ? "+keep" : ""}`,
    reads: bias ? { bias: `array<${type}>` } : {},
    writes: { y: `array<${type}>`, ...(keepsPreActivation && { preActivation: `array<${type}>` }) },
    module: Object.values(text?.functions ?? {}).join("\n"),
    store(at, column, value) {
      const sum = bias ? `${value} + bias[${column}]` : value;
      return keepsPreActivation ? `{ let before = ${sum}; preActivation[${at}] = before; y[${at}] = ${apply("before")}; }` : `y[${at}] = ${apply(sum)};`;
    },
  };
}

/** y = activation(x) as a pass of its own; `inPlace` overwrites the sums in y. */
export function activationPassKernel(activation: MatmulActivation, width: 1 | 4, inPlace: boolean): Kernel {
  const type = width === 4 ? "vec4f" : "f32";
  const { module, store } = epilogueWgsl({ bias: false, activation, keepsPreActivation: false }, width);
  return defineKernel({
    label: `matmul/activation/${activation}/x${width}${inPlace ? "/in-place" : ""}/f32`,
    ...(!inPlace && { reads: { x: `array<${type}>` } }),
    writes: { y: `array<${type}>` },
    module,
    workgroupSize: [ACTIVATION_WORKGROUP_SIZE],
    linear: true,
    body: `  ${store("index", "", inPlace ? "y[index]" : "x[index]")}`,
  });
}
