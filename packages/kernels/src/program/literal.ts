import { HeddleError } from "../errors.ts";
import { defineOp } from "./op.ts";
import type { Node } from "./tensor.ts";
import { dtypeOf, formatShape, sizeOf, type HostTensor, type TensorType } from "./types.ts";

/** Numbers as an attribute: in text, and so in comparisons of programs, they are their fingerprint. */
export class LiteralData {
  readonly fingerprint: string;

  constructor(readonly data: HostTensor["data"]) {
    this.fingerprint = fingerprintOf(data);
  }

  toJSON(): string {
    return this.fingerprint;
  }
}

/** A leaf whose numbers are known when the function is traced. Devices keep them with the plan. */
export const literalOp = defineOp<{ type: TensorType; content: LiteralData }>({
  name: "literal",
  infer: (_, { type }) => [type],
  reference: (_, { type, content }, context) => {
    const array = context.zeros(type.dtype, type.shape);
    array.data.set(content.data);
    return [array];
  },
  onnx: ({ graph, attributes: { type, content } }) => [graph.weight(`literal.${content.fingerprint}`, type.dtype, type.shape, content.data)],
});

/** Attributes of a literal. Throws SHAPE_MISMATCH, DTYPE_MISMATCH. */
export function literalOf({ shape, data }: HostTensor): { type: TensorType; content: LiteralData } {
  const dtype = dtypeOf(data);
  if (dtype === "f16") throw new HeddleError("DTYPE_MISMATCH", "[literal] half floats are for states and inputs; give the numbers as a Float32Array");
  if (sizeOf(shape) !== data.length) throw new HeddleError("SHAPE_MISMATCH", `[literal] shape ${formatShape(shape)} wants ${sizeOf(shape)} numbers, got ${data.length}`);
  return { type: { dtype, shape: [...shape] }, content: new LiteralData(data) };
}

/** The numbers of a literal's node as words of memory. */
export function literalWords({ attributes }: Node): Uint32Array {
  const { data } = (attributes as { content: LiteralData }).content;
  return new Uint32Array(data.buffer, data.byteOffset, data.length);
}

/** FNV-1a over the words, with two starts: equal texts are equal numbers as good as surely. */
function fingerprintOf(data: HostTensor["data"]): string {
  const words = new Uint32Array(data.buffer, data.byteOffset, data.length);
  let [a, b] = [0x811c9dc5, 0x9e3779b9];
  for (const word of words) {
    a = Math.imul(a ^ word, 0x01000193);
    a ^= a >>> 15;
    b = Math.imul(b ^ word, 0x85ebca6b);
    b ^= b >>> 13;
  }
  return `${words.length}-${(a >>> 0).toString(16)}${(b >>> 0).toString(16)}`;
}
