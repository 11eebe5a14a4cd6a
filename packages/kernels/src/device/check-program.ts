import { HeddleError } from "../errors.ts";
import { statesOf, type Program } from "../program/program.ts";
import type { Device, RunOptions } from "./device.ts";

// What every device asks of a program before it prepares or runs it.

/** Throws INVALID_ARGUMENT for a state of another device. */
export function checkStatesLiveOn(program: Program, device: Device): void {
  const foreign = statesOf(program).find((state) => state.device !== device);
  if (foreign) throw new HeddleError("INVALID_ARGUMENT", `[${program.name}] state ${foreign.name} lives on another device (${foreign.device.description}); create it on this one (${device.description})`);
}

/** Throws DISPOSED where a state of the program was. */
export function checkStatesAlive({ name, states, updates }: Program): void {
  // Before each run, so without a list of them all.
  for (const held of [states, updates]) {
    for (const state of held.keys()) {
      if (state.disposed) throw new HeddleError("DISPOSED", `[${name}] needs state ${state.name}, which was disposed; dispose of programs before their states`);
    }
  }
}

/** Names of the outputs to bring back. Throws INVALID_ARGUMENT for one that the program does not have. */
export function outputsToRead({ name, outputs }: Program, read: RunOptions["read"]): readonly string[] {
  const wanted = read === false ? [] : (read ?? [...outputs.keys()]);
  const unknown = wanted.find((output) => !outputs.has(output));
  if (unknown !== undefined) throw new HeddleError("INVALID_ARGUMENT", `[${name}] has no output ${unknown}; it has ${[...outputs.keys()].join(", ")}`);
  return wanted;
}

export function noInt8({ name }: Program, { kind }: Device): HeddleError {
  return new HeddleError("INVALID_ARGUMENT", `[${name}] int8 runs on the cpu device only, not on ${kind}: open it with device "cpu", or leave int8 out`);
}
