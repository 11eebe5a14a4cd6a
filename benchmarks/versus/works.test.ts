import { expect, it } from "vitest";
import { chooseWorks } from "./works.ts";

it("runs every work on each of its devices unless told otherwise", () => {
  const listed = (only?: string, device?: string, browser?: boolean) => chooseWorks({ only, device, browser }).map((chosen) => `${chosen.name} ${chosen.device}`);
  expect(listed()).toEqual(["matmul webgpu", "minilm webgpu", "minilm-cpu cpu", "minilm-train-cpu cpu", "nanogpt-train cpu", "nanogpt-train webgpu"]);
  expect(listed("matmul")).toEqual(["matmul webgpu"]);
  expect(listed("nanogpt-train", "webgpu")).toEqual(["nanogpt-train webgpu"]);
  expect(listed(undefined, "webgpu")).toEqual(["matmul webgpu", "minilm webgpu", "nanogpt-train webgpu"]);
  expect(listed(undefined, undefined, true)).toEqual(["matmul webgpu", "minilm webgpu"]);
});

it("names the fix for what it cannot run", () => {
  expect(() => chooseWorks({ only: "matmull" })).toThrow("no work is called matmull; there are matmul, minilm, minilm-cpu, minilm-train-cpu, nanogpt-train");
  expect(() => chooseWorks({ only: "matmul", device: "cpu" })).toThrow("matmul does not run on --device cpu, only on webgpu: leave --device out");
  expect(() => chooseWorks({ device: "tpu" })).toThrow("no --device is called tpu; choose cpu or webgpu");
  expect(() => chooseWorks({ only: "nanogpt-train", browser: true })).toThrow("nanogpt-train does not run with --browser; there are matmul, minilm");
  expect(() => chooseWorks({ device: "cpu", browser: true })).toThrow("--browser compares WebGPU: leave --device out");
});
