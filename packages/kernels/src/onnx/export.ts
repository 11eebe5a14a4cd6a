import type { Device, State } from "../device/device.ts";
import { HeddleError } from "../errors.ts";
import { trace, type TracedFunction } from "../program/trace.ts";
import { dataBytes, type DType, type HostTensor, type TensorType } from "../program/types.ts";
import type { ElementType } from "./element-types.ts";
import { lowerToOnnx } from "./lower.ts";
import { encodeModel } from "./proto.ts";
import { SymbolicProgram } from "./symbolic-program.ts";

/** An input of an exported model. */
export interface OnnxInput {
  /** As the function computes with it. */
  readonly dtype: DType;
  /** Names are extents that may differ from run to run; equal names are equal extents. */
  readonly shape: readonly (number | string)[];
  /** How the file has it, where that is different: Hugging Face's `input_ids` as i64. */
  readonly as?: { readonly name: string; readonly type: ElementType };
}

export interface OnnxExport {
  readonly name: string;
  readonly inputs: Readonly<Record<string, OnnxInput>>;
  /** The largest that a named extent may be, where the function has an end, as a table of positions has. */
  readonly limits?: Readonly<Record<string, number>>;
  /**
   * Round the weights of matrix products and embeddings to int8, each output channel or row by its own scale, and the
   * inputs of those products to u8 as they come.
   */
  readonly int8?: boolean;
}

/** Protobuf's limit, less what a graph needs beside its weights. */
const MAX_WEIGHT_BYTES = 2 ** 31 - 2 ** 24;

/**
 * Extents that the traces stand on, one number a trace, one row an axis. No row, nor any product of two, is a multiple of
 * another or another plus a number, so that each extent in the function has one explanation.
 */
const EXTENTS = [
  [3, 5, 13],
  [5, 7, 11],
  [13, 19, 41],
  [17, 29, 31],
];

/** For axes with a limit below those. */
const SHORT_EXTENTS = [
  [2, 3, 2],
  [2, 2, 3],
];

/**
 * Writes a function over symbolic tensors as an ONNX file of standard operators (opset 21), its states as constants, its
 * named extents as dynamic axes.
 *
 * @returns the file's bytes
 * @throws NOT_LOWERABLE, DYNAMIC_SHAPE where the function does something else at another shape, LIMIT_EXCEEDED for weights
 *   of more than 2 GiB or too many named extents, INVALID_ARGUMENT for a function that replaces states
 */
export async function exportToOnnx(device: Device, { name, inputs, limits = {}, int8 = false }: OnnxExport, fn: TracedFunction): Promise<Uint8Array<ArrayBuffer>> {
  const extents = chooseExtents(name, inputs, limits);
  const traces = extents.size === 0 ? [0] : [0, 1, 2];
  const programs = traces.map((at) => {
    const types = Object.entries(inputs).map(([input, { dtype, shape }]) => [input, { dtype, shape: shape.map((extent) => (typeof extent === "number" ? extent : extents.get(extent)![at]!)) }]);
    return trace(name, Object.fromEntries(types) as Record<string, TensorType>, fn);
  });
  const [program] = programs;
  const [replaced] = program!.updates.keys();
  if (replaced) throw new HeddleError("INVALID_ARGUMENT", `[${name}] replaces state ${replaced.name}: a file is for inference; export the forward pass alone`);
  const contents = await readConstants(device, name, [...new Set(programs.flatMap(({ states }) => [...states.keys()]))]);
  const symbolic = new SymbolicProgram(programs, (input, axis) => String(inputs[input]!.shape[axis]));
  const { model } = lowerToOnnx(symbolic, {
    target: "portable",
    int8,
    constantOf: (state) => contents.get(state)!,
    inputAs: (input, { dtype }) => inputs[input]!.as ?? { name: input, type: dtype },
  });
  return encodeModel(model);
}

/** What each named axis is in each trace; below its limit, where nothing is cut short yet. */
function chooseExtents(name: string, inputs: OnnxExport["inputs"], limits: Readonly<Record<string, number>>): ReadonlyMap<string, readonly number[]> {
  const names = [...new Set(Object.values(inputs).flatMap(({ shape }) => shape.filter((extent) => typeof extent === "string")))];
  const unused = new Set([...EXTENTS, ...SHORT_EXTENTS]);
  return new Map(
    names.map((axis) => {
      const limit = limits[axis] ?? Infinity;
      const row = [...unused].find((extents) => Math.max(...extents) < limit && (limit < Infinity || EXTENTS.includes(extents)));
      if (!row) {
        const reason = limit <= 3 ? `${axis} of at most ${limit} is too short to be dynamic` : `of the dynamic axes ${names.join(", ")} no more than ${EXTENTS.length} can be told apart`;
        throw new HeddleError("LIMIT_EXCEEDED", `[${name}] ${reason}; give a number instead of its name`);
      }
      unused.delete(row);
      return [axis, row];
    }),
  );
}

async function readConstants(device: Device, name: string, states: readonly State[]): Promise<Map<State, HostTensor["data"]>> {
  const bytes = states.reduce((sum, { type }) => sum + dataBytes(type), 0);
  if (bytes > MAX_WEIGHT_BYTES) throw new HeddleError("LIMIT_EXCEEDED", `[${name}] has ${(bytes / 2 ** 30).toFixed(1)} GiB of weights; one ONNX file holds 2 GiB`);
  const contents = await device.readStates(states);
  return new Map(states.map((state, i) => [state, contents[i]!]));
}
