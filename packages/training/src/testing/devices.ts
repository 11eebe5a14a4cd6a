import { openDevice, type Device } from "@heddle/kernels";
import { afterAll } from "vitest";

/** A device for a test file, disposed after its last test. No adapter is a failure, never a skip. */
export async function testDevice(name: "webgpu" | "cpu"): Promise<Device> {
  const device = await openDevice({ device: name });
  afterAll(() => device.dispose());
  return device;
}
