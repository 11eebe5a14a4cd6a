import { afterAll } from "vitest";
import type { Device } from "../device/device.ts";
import { openDevice } from "../device/open.ts";

/** The device of a test file, disposed after its last test: WebGPU, or what HEDDLE_TEST_DEVICE names. No adapter is a failure, never a skip. */
export async function testDevice(): Promise<Device> {
  const device = await openDevice({ device: process.env["HEDDLE_TEST_DEVICE"] === "cpu" ? "cpu" : "webgpu" });
  afterAll(() => device.dispose());
  return device;
}
