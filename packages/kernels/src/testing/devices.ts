import { afterAll } from "vitest";
import type { Device } from "../device/device.ts";
import { openDevice } from "../device/open.ts";

let kind: "webgpu" | "cpu" = "webgpu";

/** Moves the tests imported from here on to onnxruntime. */
export function testOnCpu(): void {
  kind = "cpu";
}

/** The device of a test file, disposed after its last test: WebGPU unless `testOnCpu` was called. No adapter is a failure, never a skip. */
export async function testDevice(): Promise<Device> {
  const device = await openDevice({ device: kind });
  afterAll(() => device.dispose());
  return device;
}
