import { mul, type Tensor } from "@heddle/kernels";
import type { HiddenAct } from "../config/schema.ts";
import { linear } from "./linear.ts";
import type { Scope } from "./scope.ts";

export interface GatedFeedForwardOptions {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly hiddenAct: HiddenAct;
  readonly initializerRange: number;
  readonly mlpBias?: boolean;
}

/** W₃ (activation(W₁ x) · W₂ x) (Shazeer 2020, "GLU variants", equation 6): gate_proj, up_proj, down_proj. x [..., hidden] → same. */
export function gatedFeedForward(scope: Scope, x: Tensor, { hiddenSize, intermediateSize, hiddenAct, initializerRange, mlpBias: bias = false }: GatedFeedForwardOptions): Tensor {
  const gate = linear(scope.in("gate_proj"), x, { outputSize: intermediateSize, activation: hiddenAct, initializerRange, bias });
  const up = linear(scope.in("up_proj"), x, { outputSize: intermediateSize, initializerRange, bias });
  return linear(scope.in("down_proj"), mul(gate, up), { outputSize: hiddenSize, initializerRange, bias });
}
