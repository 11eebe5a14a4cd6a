import { describe, expect, it } from "vitest";
import { compile } from "../program/compile.ts";
import { defineKernel, type KernelSpec } from "../program/kernel.ts";
import { defineOp, type Op } from "../program/op.ts";
import { emitOne } from "../program/trace.ts";
import { testDevice, testOn } from "./devices.ts";
import { ValidatingDevice } from "./validating-device.ts";

testOn(() => ValidatingDevice.open());
const device = await testDevice();

/** An op with this kernel. */
function opWith(spec: Partial<KernelSpec>, workgroups: [number, number, number] = [1, 1, 1]): Op {
  const kernel = defineKernel({ label: "kernel", reads: { x: "array<f32>" }, writes: { y: "array<f32>" }, workgroupSize: [32], body: "y[0] = x[0];", ...spec });
  return defineOp({ name: "op", infer: ([x]) => [x!], lower: ({ inputs, outputs, dispatch }) => dispatch({ kernel, buffers: [...inputs, ...outputs], workgroups, flops: 0, bytes: 0 }) });
}

async function validate(op: Op): Promise<void> {
  using compiled = compile(device, "validated", ({ x }) => ({ y: emitOne(op, [x!], {}) }));
  await compiled.warmup([{ x: { dtype: "f32", shape: [4] } }]);
}

describe("ValidatingDevice", () => {
  it("takes what every adapter takes", async () => {
    await expect(validate(opWith({}))).resolves.toBeUndefined();
  });

  it.each<[string, Op, RegExp]>([
    ["WGSL that is none", opWith({ body: "y[0] = x;" }), /GPU reports/],
    ["a feature that an adapter lacks", opWith({ enable: ["subgroups"] }), /subgroups/],
    ["more workgroup memory than the default limit", opWith({ module: "var<workgroup> stage: array<f32, 5000>;", body: "stage[0] = x[0]; y[0] = stage[0];" }), /GPU reports/],
    ["more invocations than the default limit", opWith({ workgroupSize: [512] }), /GPU reports/],
    ["fewer buffers than its text has", opWith({ reads: { x: "array<f32>", z: "array<f32>" } }), /binds 2 buffers, its text has 3/],
    ["too many workgroups", opWith({}, [70_000, 1, 1]), /70000/],
  ])("refuses %s", async (_, op, message) => {
    await expect(validate(op)).rejects.toThrow(message);
  });
});
