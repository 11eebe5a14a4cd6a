import { openDevice, type WebGpuDevice } from "@heddle/kernels";
import { afterAll } from "vitest";

/** One WebGPU device for a test file, disposed after its last test. No adapter is a failure, never a skip. */
export async function testWebGpu(): Promise<WebGpuDevice> {
  const device = (await openDevice({ device: "webgpu" })) as WebGpuDevice;
  afterAll(() => device.dispose());
  return device;
}
