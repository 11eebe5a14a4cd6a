import type { Device, State } from "../../device/device.ts";
import { HeddleError } from "../../errors.ts";
import type { TensorType } from "../../program/types.ts";
import { formatShape, sameShape } from "../../program/types.ts";
import type { TensorLike } from "../../program/trace.ts";
import { partTypes, type QuantizationFormat, type QuantizedTensor } from "./format.ts";

/** A quantised weight inside a traced function: a linear layer's [outputs, inputs]. */
export interface QuantizedWeight {
  readonly format: QuantizationFormat;
  readonly shape: readonly [outputs: number, inputs: number];
  readonly values: TensorLike;
  readonly scales: TensorLike;
}

export const isQuantized = (weight: TensorLike | QuantizedWeight): weight is QuantizedWeight => typeof weight === "object" && "format" in weight;

/** A quantised weight on a device: what programs read, and what memory it holds. */
export interface QuantizedState extends QuantizedWeight {
  readonly values: State;
  readonly scales: State;
  dispose(): void;
}

/** Uploads a quantised weight, or zeros where it has no content: the states `name.values` and `name.scales`. */
export function createQuantizedState(device: Device, name: string, { format, shape, values, scales }: Pick<QuantizedTensor, "format" | "shape"> & Partial<QuantizedTensor>): QuantizedState {
  const types = partTypes(format, shape);
  const states = { values: device.createState(`${name}.values`, types.values, values?.data), scales: device.createState(`${name}.scales`, types.scales, scales?.data) };
  return {
    format,
    shape,
    ...states,
    dispose() {
      states.values.dispose();
      states.scales.dispose();
    },
  };
}

/** Throws SHAPE_MISMATCH or DTYPE_MISMATCH where two tensors are not the parts of such a weight. */
export function checkParts(op: string, format: QuantizationFormat, shape: readonly [number, number], values: TensorType, scales: TensorType): void {
  const wanted = partTypes(format, shape);
  for (const [part, type] of [["values", values], ["scales", scales]] as const) {
    const spelled = `[${op}] ${part} of a ${format} weight ${formatShape(shape)} are ${wanted[part].dtype} ${formatShape(wanted[part].shape)}; got ${type.dtype} ${formatShape(type.shape)}`;
    if (type.dtype !== wanted[part].dtype) throw new HeddleError("DTYPE_MISMATCH", spelled);
    if (!sameShape(type.shape, wanted[part].shape)) throw new HeddleError("SHAPE_MISMATCH", spelled);
  }
}
