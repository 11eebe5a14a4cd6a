import { describe, expect, it } from "vitest";
import { compareColdStarts } from "./cold-start.ts";
import type { Side } from "./compare.ts";
import { implementations, type WorkName } from "./implementations/table.ts";
import { peersInBrowser, peersInNode } from "./peers.ts";
import { openAll, sidesOf, type SideSpec, type Stage } from "./stage.ts";

const stage: Stage = {
  adapter: "a software adapter",
  software: true,
  peers: peersInNode,
  open: () => Promise.reject(new Error("not here")),
  close: async () => {},
};

describe("the sides of a work", () => {
  it("are Heddle and its peers by name, version and backend", () => {
    const sides = sidesOf("matmul", stage, 2);
    expect(sides[0]).toMatchObject({ name: "Heddle", work: "matmul", implementation: "heddle", provider: "webgpu", threads: 2 });
    expect(sides.slice(1).map(({ name }) => name.replace(/\d+\.\d+\.\d+\S*/, "V"))).toEqual(["onnxruntime-node V webgpu", "jax-js V webgpu", "tfjs V webgpu", "onnxruntime-node V cpu"]);
    expect(sidesOf("minilm", stage, 2, "/models/minilm").every(({ onnx }) => onnx === "/models/minilm/onnx/model.onnx")).toBe(true);
  });

  it("have an implementation each, in Node and in a browser", () => {
    for (const peers of [peersInNode, peersInBrowser]) {
      for (const work of Object.keys(implementations) as WorkName[]) {
        for (const { implementation } of peers[work]) expect(Object.keys(implementations[work])).toContain(implementation);
      }
    }
  });

  it("are closed again where one of them does not open", async () => {
    const closed: string[] = [];
    const broken: Stage = {
      ...stage,
      async open<Shape>({ name }: SideSpec): Promise<Side<Shape>> {
        if (name !== "Heddle") throw new Error("no adapter");
        return { name, prepare: async () => new Float32Array(), repeat: async () => ({ milliseconds: 1, cpuMs: null }), close: () => void closed.push(name) };
      },
    };
    await expect(openAll(broken, sidesOf("matmul", broken, 2))).rejects.toThrow("no adapter");
    expect(closed).toEqual(["Heddle"]);
  });
});

it("cold starts are a row of milliseconds, of which fewer are better", async () => {
  const starts: string[] = [];
  const cold: Stage = {
    ...stage,
    async coldStart({ name }) {
      starts.push(name);
      return name === "Heddle" ? { milliseconds: 1000, cpuMs: 800 } : { milliseconds: 3000, cpuMs: null };
    },
  };
  const [own, peer] = sidesOf("minilm", cold, 2);
  const row = await compareColdStarts(cold, [own!, peer!], { work: "minilm-cold-start", shape: [8, 64], shapeText: "8 × 64 tokens" });
  expect(row).toMatchObject({ work: "minilm-cold-start", adapter: "a software adapter", unit: "ms", higherIsBetter: false, heddle: 1000, peers: { [peer!.name]: 3000 }, peersByCpu: { [peer!.name]: null } });
  expect(row.heddleByCpu).toBeGreaterThan(0);
  expect(starts).toEqual([own!.name, peer!.name, own!.name, peer!.name, own!.name, peer!.name]);
});
