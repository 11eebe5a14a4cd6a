import type { Device, State } from "../device/device.ts";
import { HeddleError } from "../errors.ts";
import { trace, type TracedFunction } from "../program/trace.ts";
import { sizeOf, type DType, type HostTensor } from "../program/types.ts";
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
  /**
   * Round the weights of matrix products and embeddings to int8, each output channel or row by its own scale, and the
   * inputs of those products to u8 as they come.
   */
  readonly int8?: boolean;
}

/** Protobuf's limit, less what a graph needs beside its weights. */
const MAX_WEIGHT_BYTES = 2 ** 31 - 2 ** 24;

/**
 * Extents that the traces stand on, one row a trace. No column, nor any product of two, is a multiple of another or
 * another plus a number, so that each extent in the function has one explanation. The second, which for a model of
 * language is the length, stays within small position tables.
 */
const EXTENTS = [
  [3, 5, 13, 17],
  [5, 7, 19, 29],
  [13, 11, 41, 31],
] as const;

/**
 * Writes a function over symbolic tensors as an ONNX file of standard operators (opset 21), its states as constants, its
 * named extents as dynamic axes.
 *
 * @returns the file's bytes
 * @throws NOT_LOWERABLE, DYNAMIC_SHAPE where the function does something else at another shape, LIMIT_EXCEEDED for weights
 *   of more than 2 GiB, INVALID_ARGUMENT for a function that replaces states
 */
export async function exportToOnnx(device: Device, { name, inputs, int8 = false }: OnnxExport, fn: TracedFunction): Promise<Uint8Array<ArrayBuffer>> {
  const names = [...new Set(Object.values(inputs).flatMap(({ shape }) => shape.filter((extent) => typeof extent === "string")))];
  if (names.length > EXTENTS[0].length) throw new HeddleError("LIMIT_EXCEEDED", `[${name}] at most ${EXTENTS[0].length} dynamic axes can be told apart, got ${names.join(", ")}; fix some of them`);
  const programs = (names.length === 0 ? EXTENTS.slice(0, 1) : EXTENTS).map((extents) =>
    trace(name, Object.fromEntries(Object.entries(inputs).map(([input, { dtype, shape }]) => [input, { dtype, shape: shape.map((extent) => (typeof extent === "number" ? extent : extents[names.indexOf(extent)]!)) }])), fn),
  );
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

async function readConstants(device: Device, name: string, states: readonly State[]): Promise<Map<State, HostTensor["data"]>> {
  const bytes = states.reduce((sum, { type }) => sum + 4 * sizeOf(type.shape), 0);
  if (bytes > MAX_WEIGHT_BYTES) throw new HeddleError("LIMIT_EXCEEDED", `[${name}] has ${(bytes / 2 ** 30).toFixed(1)} GiB of weights; one ONNX file holds 2 GiB`);
  const contents = await device.readStates(states);
  return new Map(states.map((state, i) => [state, contents[i]!]));
}
