import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { describe, expect, it } from "vitest";
import { elementTypes } from "./element-types.ts";
import { encodeModel, type GraphInfo } from "./proto.ts";

type Field = number | Uint8Array;

/** A message as its fields' values by number, knowing nothing of ONNX. */
function fieldsOf(bytes: Uint8Array): Record<number, Field[]> {
  const fields: Record<number, Field[]> = {};
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    const value = type === WireType.Varint ? Number(reader.int64()) : type === WireType.Bit32 ? reader.float() : reader.bytes();
    (fields[field] ??= []).push(value);
  }
  return fields;
}

const text = (field: Field | undefined): string => new TextDecoder().decode(field as Uint8Array);
const message = (field: Field | undefined) => fieldsOf(field as Uint8Array);

const empty: GraphInfo = { name: "g", nodes: [], initializers: [], inputs: [], outputs: [] };
const graphOf = (graph: Partial<GraphInfo>) => message(fieldsOf(encodeModel({ graph: { ...empty, ...graph }, opsets: { "": 21 } }))[7]![0]);

// Field numbers are those of onnx.proto3.
describe("encodeModel", () => {
  it("says which version of the format and of the operators it is", () => {
    const model = fieldsOf(encodeModel({ graph: empty, opsets: { "": 21, "com.microsoft": 1 } }));
    expect([model[1], text(model[2]![0])]).toEqual([[10], "heddle"]);
    const opsets = model[8]!.map(message);
    expect(opsets.map((opset) => [opset[1] ? text(opset[1][0]) : "", opset[2]![0]])).toEqual([["", 21], ["com.microsoft", 1]]);
    expect(text(message(model[7]![0])[2]![0])).toBe("g");
  });

  it("writes nodes with their attributes, each under its own type, zeros and negative numbers included", () => {
    const attributes = { axis: -1, keepdims: 0, epsilon: { float: 1e-12 }, approximate: "tanh", perm: [0, 2, 1], none: [] };
    const [node] = graphOf({ nodes: [{ type: "Op", domain: "com.microsoft", inputs: ["a", "", "ü"], outputs: ["y", "z"], attributes }] })[1]!.map(message);
    expect([node![1]!.map(text), node![2]!.map(text), text(node![3]![0]), text(node![4]![0]), text(node![7]![0])]).toEqual([["a", "", "ü"], ["y", "z"], "y", "Op", "com.microsoft"]);
    const written = Object.fromEntries(node![5]!.map(message).map((attribute) => [text(attribute[1]![0]), attribute]));
    expect(Object.keys(written)).toEqual(Object.keys(attributes));
    const typeAndValue = (name: string, field: number) => [written[name]![20]![0], written[name]![field]];
    expect(typeAndValue("axis", 3)).toEqual([2, [-1]]);
    expect(typeAndValue("keepdims", 3)).toEqual([2, [0]]);
    expect(typeAndValue("epsilon", 2)).toEqual([1, [Math.fround(1e-12)]]);
    expect([written["approximate"]![20]![0], text(written["approximate"]![4]![0])]).toEqual([3, "tanh"]);
    expect(typeAndValue("perm", 8)).toEqual([7, [0, 2, 1]]);
    expect(typeAndValue("none", 8)).toEqual([7, undefined]);
  });

  it("leaves the domain of ONNX's own operators out", () => {
    const [node] = graphOf({ nodes: [{ type: "Add", domain: "", inputs: ["a", "b"], outputs: ["y"], attributes: {} }] })[1]!.map(message);
    expect(node![7]).toBeUndefined();
  });

  it("writes constants as they lie in memory, with extents of 0, without extents, and in a file beside the model", () => {
    const floats = Float32Array.of(1, -2.5, 3e-40);
    const data = (view: ArrayBufferView) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    const initializers = graphOf({
      initializers: [
        { name: "w", type: "f32", shape: [3, 1], data: data(floats) },
        { name: "none", type: "i64", shape: [0, 4], data: new Uint8Array() },
        { name: "scalar", type: "i8", shape: [], data: data(Int8Array.of(-128)) },
        { name: "far", type: "f16", shape: [2], data: { file: "w.bin", offset: 0, sizeBytes: 4 } },
      ],
    })[5]!.map(message);
    expect(initializers.map((one) => [text(one[8]![0]), one[2]![0], one[1] ?? []])).toEqual([["w", elementTypes.f32, [3, 1]], ["none", elementTypes.i64, [0, 4]], ["scalar", elementTypes.i8, []], ["far", elementTypes.f16, [2]]]);
    expect(initializers[0]![9]![0]).toEqual(data(floats));
    expect(initializers[1]![9]![0]).toEqual(new Uint8Array());
    const far = initializers[3]!;
    expect([far[9], far[14]]).toEqual([undefined, [1]]);
    expect(far[13]!.map(message).map((entry) => [text(entry[1]![0]), text(entry[2]![0])])).toEqual([["location", "w.bin"], ["offset", "0"], ["length", "4"]]);
  });

  it("names the dynamic axes of inputs and outputs, and keeps the others", () => {
    const values = graphOf({ inputs: [{ name: "ids", type: "i64", shape: ["batch", 0, 7] }], outputs: [{ name: "y", type: "bool", shape: [] }] });
    const typeOf = (value: Field) => {
      const tensor = message(message(message(value)[2]![0])[1]![0]);
      const shape = message(tensor[2]![0])[1] ?? [];
      return [text(message(value)[1]![0]), tensor[1]![0], shape.map(message).map((dim) => (dim[2] ? text(dim[2][0]) : dim[1]![0]))];
    };
    expect(typeOf(values[11]![0]!)).toEqual(["ids", elementTypes.i64, ["batch", 0, 7]]);
    expect(typeOf(values[12]![0]!)).toEqual(["y", elementTypes.bool, []]);
  });

  it("keeps a constant of many megabytes whole", () => {
    const data = Uint8Array.from({ length: 5_000_001 }, (_, i) => (i * 31) % 251);
    const [written] = message(graphOf({ initializers: [{ name: "w", type: "u8", shape: [data.length], data }] })[5]![0])[9]!;
    expect(Buffer.compare(written as Uint8Array, data)).toBe(0);
  });
});
