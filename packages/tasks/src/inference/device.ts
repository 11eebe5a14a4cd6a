import { openDevice, type Device, type DeviceName } from "@heddle/kernels";

/** A device of the caller's, which stays the caller's to dispose of, or the name of one to open. */
export type DeviceChoice = Device | DeviceName;

export interface HeldDevice {
  readonly device: Device;
  /** Disposes of the device where it was opened here. */
  release(): void;
}

export async function holdDevice(choice: DeviceChoice | undefined): Promise<HeldDevice> {
  if (typeof choice === "object") return { device: choice, release: () => {} };
  const device = await openDevice({ device: choice });
  return { device, release: () => device.dispose() };
}
