import type { State } from "../device/device.ts";
import { storageBytes } from "./types.ts";

/** Where a device keeps a state. States of one `arena` share a buffer. */
export interface StatePlace {
  readonly arena: object;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

export const inBufferOfItsOwn = (state: State): StatePlace => ({ arena: state, offsetBytes: 0, sizeBytes: storageBytes(state.type) });
