import { openDevice, type Device, type DeviceName, type Trial } from "@heddle/kernels";

/** A device of the caller's, which stays the caller's to dispose of, or the name of one to open. */
export type DeviceChoice = Device | DeviceName;

/** The device of one model: the caller's, or one opened once it is known what it has to do. */
export class HeldDevice {
  #opened: Device | undefined;

  constructor(
    private readonly choice: DeviceChoice | undefined,
    /** Hears which device "auto" has chosen, and why. */
    private readonly log: ((line: string) => void) | undefined,
    /** int8 computes on the CPU, so "auto" need not look for anything else. */
    private readonly int8 = false,
  ) {}

  /** @param trial what "auto" measures its candidates by */
  async open(trial: () => Trial): Promise<Device> {
    if (typeof this.choice === "object") return this.choice;
    const name = this.int8 && (this.choice ?? "auto") === "auto" ? "cpu" : this.choice;
    this.#opened ??= await openDevice({ device: name, trial: trial(), log: this.log });
    return this.#opened;
  }

  /** Disposes of the device where it was opened here. */
  release(): void {
    this.#opened?.dispose();
  }
}
