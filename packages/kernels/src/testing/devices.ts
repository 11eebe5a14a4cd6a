import { afterAll } from "vitest";
import type { Device } from "../device/device.ts";
import { openDevice } from "../device/open.ts";

let open = (): Promise<Device> => openDevice({ device: "webgpu" });

/** Moves the tests imported from here on to onnxruntime. */
export function testOnCpu(): void {
  testOn(() => openDevice({ device: "cpu" }));
}

/** Gives the tests imported from here on another device. */
export function testOn(opener: () => Promise<Device>): void {
  open = opener;
}

/** The device of a test file, disposed after its last test: WebGPU unless told otherwise. No adapter is a failure, never a skip. */
export async function testDevice(): Promise<Device> {
  const device = await open();
  afterAll(() => device.dispose());
  return device;
}
