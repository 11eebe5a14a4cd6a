// The same tests as on WebGPU, for what they compile alone: every kernel that they lead to, on every class of adapter, is
// checked by Dawn's null backend, which has f16 and subgroup matrices and needs no GPU. Numbers are not looked at.
import { vi } from "vitest";
import type { Device } from "../device/device.ts";
import { gradients } from "../program/autodiff.ts";
import { compile } from "../program/compile.ts";
import type { TracedFunction } from "../program/trace.ts";
import { dtypeOf, type HostTensor } from "../program/types.ts";
import type * as check from "../testing/check.ts";
import { testOn } from "../testing/devices.ts";
import { ValidatingDevice } from "../testing/validating-device.ts";
import { add, mul } from "./elementwise/arithmetic.ts";
import { sum } from "./reduce/op.ts";

type Inputs = Record<string, HostTensor>;

async function checkValid(device: Device, fn: TracedFunction, inputs: Inputs): Promise<void> {
  using compiled = compile(device, "valid", fn);
  await compiled.warmup([Object.fromEntries(Object.entries(inputs).map(([name, { shape, data }]) => [name, { dtype: dtypeOf(data), shape }]))]);
}

/** With the gradients of Σ outputs². */
async function checkValidBackward(device: Device, fn: TracedFunction, inputs: Inputs, wrt: readonly string[]): Promise<void> {
  const backward: TracedFunction = (symbolic) => {
    const squares = Object.values(fn(symbolic)).map((y) => sum(mul(y, y)));
    const loss = squares.reduce((a, b) => add(a, b));
    return Object.fromEntries(gradients(loss, wrt.map((name) => symbolic[name]!)).map((gradient, i) => [wrt[i]!, gradient]));
  };
  await checkValid(device, wrt.length > 0 ? backward : fn, inputs);
}

vi.mock("../testing/check.ts", async (original) => ({
  ...(await original<typeof check>()),
  checkForward: checkValid,
  checkGradients: checkValidBackward,
  checkWithGradients: checkValidBackward,
}));

testOn(() => ValidatingDevice.open());
await import("./every-op.ts");
await import("./model-programs.ts");
