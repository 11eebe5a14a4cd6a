import { afterAll } from "vitest";
import type { Device } from "../device/device.ts";
import { openDevice } from "../device/open.ts";

/** One WebGPU device for a test file, disposed after its last test. No adapter is a failure, never a skip. */
export async function testDevice(): Promise<Device> {
  const device = await openDevice({ device: "webgpu" });
  afterAll(() => device.dispose());
  return device;
}
