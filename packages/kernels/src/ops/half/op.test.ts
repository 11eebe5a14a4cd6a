import { describe, expect, it } from "vitest";
import { gradients } from "../../program/autodiff.ts";
import { compile, hostTensor } from "../../program/compile.ts";
import { fromFloat16, toFloat16 } from "../../program/float16.ts";
import { assign, asTensor, trace } from "../../program/trace.ts";
import { bytesPerElement } from "../../program/types.ts";
import { checkForward, randomFloats } from "../../testing/check.ts";
import { testDevice } from "../../testing/devices.ts";
import { add } from "../elementwise/arithmetic.ts";
import { cast } from "../elementwise/unary.ts";
import { sum } from "../reduce/op.ts";
import { reshape } from "../reshape/op.ts";

const device = await testDevice();
/** All that are numbers: NaN and infinities apart. */
const finite = Uint16Array.from({ length: 0x10000 }, (_, half) => half).filter((half) => (half & 0x7c00) !== 0x7c00);

describe("f16 storage", () => {
  it("reads every half float exactly, subnormals included", async () => {
    using f = compile(device, "read", ({ x }) => ({ y: cast(x!, "f32") }));
    expect((await f.run({ x: hostTensor(finite) })).y!.data).toEqual(fromFloat16(finite));
  });

  it("rounds f32 to the nearest, ties to even, and cuts at ±65504", async () => {
    const spread = randomFloats(4096, 1).map((value, i) => value * 2 ** ((i % 44) - 27));
    const ties = Float32Array.from({ length: 2048 }, (_, i) => (i + 0.5) * 2 ** -24);
    const past = Float32Array.of(65504, 65519, 65520, 1e9, -65520, -3e38, 2 ** -25, 2 ** -26, -(2 ** -14), 0);
    using f = compile(device, "write", ({ x }) => ({ y: cast(x!, "f16") }));
    for (const x of [spread, ties, past, past.subarray(3)]) {
      const { y } = await f.run({ x: hostTensor(x) });
      expect(y!.data).toEqual(toFloat16(x.map((value) => Math.min(Math.max(value, -65504), 65504))));
    }
  });

  it.each([[[]], [[1]], [[5]], [[3, 7]], [[0]], [[2, 4]]])("converts shape %j there and back", async (shape) => {
    const size = shape.reduce((a, b) => a * b, 1);
    const x = hostTensor(toFloat16(randomFloats(size, 2)), shape);
    await checkForward(device, ({ x: half }) => ({ y: add(cast(half!, "f32"), 1), again: cast(cast(reshape(half!, [size]), "f32"), "f16"), integer: cast(half!, "i32") }), { x });
  });

  it("holds two bytes an element, also of odd sizes, and writes and reads them back", async () => {
    const before = device.memory.currentBytes;
    const halves = toFloat16(randomFloats(33, 3));
    const state = device.createState("half", { dtype: "f16", shape: [3, 11] }, halves);
    const bytes = device.kind === "webgpu" ? 80 : 66;
    expect(device.memory.currentBytes - before).toBe(bytes);
    expect((await device.readStates([state]))[0]).toEqual(halves);
    state.write(halves.toReversed());
    using f = compile(device, "states", () => {
      const old = cast(asTensor(state), "f32");
      assign(state, cast(add(old, old), "f16"));
      return { old };
    });
    expect((await f.run({}))["old"]!.data).toEqual(fromFloat16(halves.toReversed()));
    expect((await device.readStates([state]))[0]).toEqual(toFloat16(fromFloat16(halves.toReversed()).map((value) => 2 * value)));
    if (device.kind !== "reference") expect(f.plan({}).statesBytes).toBe(bytes);
    expect(bytesPerElement("f16")).toBe(2);
    f.dispose();
    state.dispose();
    expect(device.memory.currentBytes).toBe(before);
  });

  it("lets no gradient through", async () => {
    using f = compile(device, "gradient", ({ x }) => ({ g: gradients(sum(cast(cast(x!, "f16"), "f32")), [x!])[0]! }));
    expect([...(await f.run({ x: hostTensor(Float32Array.of(1, 2)) })).g!.data]).toEqual([0, 0]);
  });

  it("is refused by ops that compute, with the way out", () => {
    const types = { x: { dtype: "f16", shape: [2, 3] } } as const;
    expect(() => trace("f", types, ({ x }) => ({ y: add(x!, x!) }))).toThrow('[add] does not take f16, which is for storage: convert [2, 3] with cast(x, "f32")');
    expect(() => device.createState("s", { dtype: "f16", shape: [2] }, Float32Array.of(1, 2))).toThrow("[state s] holds f16, got f32 data");
  });
});
