import { afterAll, describe, expect, it } from "vitest";
import { openDevice } from "../device/open.ts";
import { add } from "../ops/elementwise/arithmetic.ts";
import { matmul } from "../ops/matmul/op.ts";
import { compile } from "../program/compile.ts";
import { assign } from "../program/trace.ts";
import { checkForward, randomTensor } from "../testing/check.ts";

// The first device of a page settles the number of threads.
const device = await openDevice({ device: "cpu", threads: 2 });
afterAll(() => device.dispose());

describe("onnxruntime-web in a page", () => {
  it("computes with several threads where the page is cross-origin isolated", async () => {
    expect(crossOriginIsolated).toBe(true);
    await checkForward(device, ({ a, b }) => ({ y: matmul(a!, b!) }), { a: randomTensor([150, 200], 1), b: randomTensor([200, 130], 2) });
    expect(device.description).toBe("CPU by onnxruntime-web, 2 threads");
    const scripts = performance.getEntriesByType("resource").map(({ name }) => name);
    expect(scripts.filter((name) => name.endsWith(".wasm"))).toEqual([expect.stringMatching(new RegExp(`^${location.origin}/.*/ort-wasm-simd-threaded\\.wasm$`))]);
  });

  it("says that later devices have as many threads as the first", async () => {
    const second = await openDevice({ device: "cpu", threads: 1 });
    expect(second.description).toBe("CPU by onnxruntime-web, 2 threads");
    second.dispose();
  });

  it("takes inputs and states as they were when they were given", async () => {
    const state = device.createState("sum", { dtype: "f32", shape: [2] }, Float32Array.of(1, 2));
    using step = compile(device, "step", ({ x }) => (assign(state, add(state, x!)), {}));
    const x = { shape: [2], data: Float32Array.of(10, 20) };
    const first = step.run({ x }, { read: false });
    x.data.fill(1000);
    const second = step.run({ x: { shape: [2], data: Float32Array.of(100, 200) } }, { read: false });
    const written = Float32Array.of(5, 6);
    await Promise.all([first, second]);
    expect([...(await device.readStates([state]))[0]!]).toEqual([111, 222]);
    state.write(written);
    written.fill(0);
    expect([...(await device.readStates([state]))[0]!]).toEqual([5, 6]);
  });

  it("lets the page hear its events between runs", async () => {
    using double = compile(device, "double", ({ x }) => ({ y: add(x!, x!) }));
    const x = randomTensor([4], 1);
    await double.run({ x });
    let heard = 0;
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => port2.postMessage(heard++);
    port2.onmessage = () => port1.postMessage(null);
    port2.postMessage(null);
    for (let i = 0; i < 20; i++) await double.run({ x });
    port1.close();
    expect(heard).toBeGreaterThan(5);
  });
});
