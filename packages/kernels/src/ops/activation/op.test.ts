import { describe, expect, it } from "vitest";
import { compile } from "../../program/compile.ts";
import { gradients } from "../../program/autodiff.ts";
import { sum } from "../reduce/op.ts";
import { checkForward, checkGradients, randomTensor, reference } from "../../testing/check.ts";
import { testDevice } from "../../testing/devices.ts";
import { erf } from "./erf.ts";
import { activation, activationNames } from "./op.ts";

const device = await testDevice();
const dense = { shape: [4001], data: Float32Array.from({ length: 4001 }, (_, i) => (i - 2000) / 150) };
const extremes = { shape: [12], data: Float32Array.of(0, -0, 1e-30, -1e-30, 87, -87, 100, -100, 1e4, -1e4, 1e30, -1e30) };

describe("erf in f64", () => {
  it("has the values of Abramowitz & Stegun's table 7.1 and NIST's", () => {
    const known: [number, number][] = [[0, 0], [0.5, 0.5204998778130465], [1, 0.8427007929497149], [2, 0.9953222650189527], [2.5, 0.9995930479825550], [3, 0.9999779095030014], [-1, -0.8427007929497149]];
    for (const [x, value] of known) expect(erf(x)).toBeCloseTo(value, 14);
  });
});

describe.each(activationNames)("%s", (name) => {
  it("is within 1e-6 of f64 on a dense grid", async () => {
    const wanted = reference(({ x }) => ({ y: activation(name, x!) }), { x: dense })["y"]!;
    using compiled = compile(device, name, ({ x }) => ({ y: activation(name, x!) }));
    const { y } = await compiled.run({ x: dense });
    let worst = 0;
    y!.data.forEach((value, i) => (worst = Math.max(worst, Math.abs(value - wanted.data[i]!) / Math.max(1, Math.abs(wanted.data[i]!)))));
    expect(worst).toBeLessThanOrEqual(1e-6);
  });

  it("stays finite at extremes, with its gradient", async () => {
    const fn = ({ x }: Parameters<Parameters<typeof compile>[2]>[0]) => {
      const y = activation(name, x!);
      return { y, dx: gradients(sum(y), [x!])[0]! };
    };
    using compiled = compile(device, `${name}-extremes`, fn);
    const actual = await compiled.run({ x: extremes });
    const wanted = reference(fn, { x: extremes });
    for (const output of ["y", "dx"]) {
      wanted[output]!.data.forEach((value, i) => expect(Math.abs(actual[output]!.data[i]! - value), `${output} at ${extremes.data[i]}`).toBeLessThanOrEqual(2e-6 * Math.max(1, Math.abs(value))));
    }
  });

  it("has the gradient of finite differences", async () => {
    // Away from relu's kink at 0.
    const x = randomTensor([3, 11], 5, 4);
    await checkGradients(device, ({ x }) => ({ y: activation(name, x!) }), { x }, ["x"], { tolerance: 3e-6, finiteDifferences: 1e-6 });
  });
});

describe("activation", () => {
  it("takes odd and empty shapes", async () => {
    for (const shape of [[1], [5, 7], [0, 3]]) await checkForward(device, ({ x }) => ({ y: activation("gelu", x!) }), { x: randomTensor(shape, 3, 3) }, 1e-6);
  });

  it("names what it knows when asked for what it does not", () => {
    expect(() => reference(({ x }) => ({ y: activation("toString", x!) }), { x: dense })).toThrow('[activation] there is no activation "toString"');
  });
});
