import { HeddleError } from "../errors.ts";
import type { Program } from "./program.ts";
import { dtypeOf, formatShape, sameShape, sizeOf, type HostTensor } from "./types.ts";

/** Throws INPUT_MISSING, INPUT_UNKNOWN, SHAPE_MISMATCH or DTYPE_MISMATCH where `inputs` are not what the program wants. */
export function checkInputs(program: Program, inputs: Readonly<Record<string, HostTensor>>): void {
  for (const [name, tensor] of program.inputs) {
    const input = inputs[name];
    const want = `${tensor.dtype} ${formatShape(tensor.shape)}`;
    if (!input) throw new HeddleError("INPUT_MISSING", `[${program.name}] wants input ${name}: ${want}`);
    if (!sameShape(input.shape, tensor.shape)) throw new HeddleError("SHAPE_MISMATCH", `[${program.name}] input ${name} wants ${want}, got ${formatShape(input.shape)}`);
    if (dtypeOf(input.data) !== tensor.dtype) throw new HeddleError("DTYPE_MISMATCH", `[${program.name}] input ${name} wants ${want}, got ${dtypeOf(input.data)}`);
    if (input.data.length !== sizeOf(input.shape)) {
      throw new HeddleError("SHAPE_MISMATCH", `[${program.name}] input ${name} says shape ${formatShape(input.shape)}, ${sizeOf(input.shape)} elements, but its data has ${input.data.length}`);
    }
  }
  const unknown = Object.keys(inputs).find((name) => !program.inputs.has(name));
  if (unknown !== undefined) throw new HeddleError("INPUT_UNKNOWN", `[${program.name}] has no input ${unknown}; it has ${[...program.inputs.keys()].join(", ")}`);
}
