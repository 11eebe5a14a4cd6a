import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { elementTypes, type ElementType } from "./element-types.ts";

// The part of ONNX's file format (onnx.proto, IR version 10) that Heddle writes: each function is one message, each
// line one field with its number.

/** A constant of the graph: raw little-endian data, or where they lie in a file beside the model. */
export interface Initializer {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly data: Uint8Array | { readonly file: string; readonly offset: number; readonly sizeBytes: number };
}

/** `string` dimensions are symbolic; no shape is one that nobody knows yet, and null a sequence of tensors. */
export interface ValueInfo {
  readonly name: string;
  readonly type: ElementType;
  readonly shape?: readonly (number | string)[] | null;
}

/** Floats are objects, as JavaScript cannot tell 1 from 1.0. A graph may read values of the one around it. */
export type AttributeValue = number | { readonly float: number } | string | readonly number[] | { readonly graph: GraphInfo };

export interface NodeInfo {
  readonly type: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}

export interface GraphInfo {
  readonly name: string;
  readonly nodes: readonly NodeInfo[];
  readonly initializers: readonly Initializer[];
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
}

export interface ModelInfo {
  readonly graph: GraphInfo;
  /** Operator set versions by domain; "" is ONNX's own. */
  readonly opsets: Readonly<Record<string, number>>;
}

const IR_VERSION = 10;
const EXTERNAL = 1;
const ATTRIBUTE_TYPE = { float: 1, int: 2, string: 3, graph: 5, ints: 7 };

type Fields = (writer: BinaryWriter) => void;

const message = (writer: BinaryWriter, field: number, fields: Fields) => {
  fields(writer.tag(field, WireType.LengthDelimited).fork());
  writer.join();
};
const text = (writer: BinaryWriter, field: number, value: string) => writer.tag(field, WireType.LengthDelimited).string(value);
const bytes = (writer: BinaryWriter, field: number, value: Uint8Array) => writer.tag(field, WireType.LengthDelimited).bytes(value);
const int = (writer: BinaryWriter, field: number, value: number) => writer.tag(field, WireType.Varint).int64(value);

const attribute = (name: string, value: AttributeValue): Fields => (writer) => {
  text(writer, 1, name);
  if (typeof value === "number") int(writer, 3, value).tag(20, WireType.Varint).int32(ATTRIBUTE_TYPE.int);
  else if (typeof value === "string") text(writer, 4, value).tag(20, WireType.Varint).int32(ATTRIBUTE_TYPE.string);
  else if ("float" in value) writer.tag(2, WireType.Bit32).float(value.float).tag(20, WireType.Varint).int32(ATTRIBUTE_TYPE.float);
  else if ("graph" in value) {
    message(writer, 6, graph(value.graph));
    writer.tag(20, WireType.Varint).int32(ATTRIBUTE_TYPE.graph);
  } else {
    for (const element of value) int(writer, 8, element);
    writer.tag(20, WireType.Varint).int32(ATTRIBUTE_TYPE.ints);
  }
};

const node = ({ type, domain, inputs, outputs, attributes }: NodeInfo): Fields => (writer) => {
  for (const input of inputs) text(writer, 1, input);
  for (const output of outputs) text(writer, 2, output);
  text(writer, 3, outputs[0]!);
  text(writer, 4, type);
  for (const [name, value] of Object.entries(attributes)) message(writer, 5, attribute(name, value));
  if (domain !== "") text(writer, 7, domain);
};

const entry = (key: string, value: string): Fields => (writer) => {
  text(writer, 1, key);
  text(writer, 2, value);
};

const initializer = ({ name, type, shape, data }: Initializer): Fields => (writer) => {
  for (const extent of shape) int(writer, 1, extent);
  writer.tag(2, WireType.Varint).int32(elementTypes[type]);
  text(writer, 8, name);
  if (data instanceof Uint8Array) bytes(writer, 9, data);
  else {
    message(writer, 13, entry("location", data.file));
    message(writer, 13, entry("offset", String(data.offset)));
    message(writer, 13, entry("length", String(data.sizeBytes)));
    writer.tag(14, WireType.Varint).int32(EXTERNAL);
  }
};

const dimension = (extent: number | string): Fields => (writer) => {
  if (typeof extent === "number") int(writer, 1, extent);
  else text(writer, 2, extent);
};

const tensorType = (type: ElementType, shape: ValueInfo["shape"]): Fields => (writer) =>
  message(writer, 1, (tensor) => {
    tensor.tag(1, WireType.Varint).int32(elementTypes[type]);
    if (!shape) return;
    message(tensor, 2, (shapeProto) => {
      for (const extent of shape) message(shapeProto, 1, dimension(extent));
    });
  });

const valueInfo = ({ name, type, shape }: ValueInfo): Fields => (writer) => {
  const tensor = tensorType(type, shape);
  text(writer, 1, name);
  message(writer, 2, shape !== null ? tensor : (typeProto) => message(typeProto, 4, (sequence) => message(sequence, 1, tensor)));
};

function graph({ name, nodes, initializers, inputs, outputs }: GraphInfo): Fields {
  return (writer) => {
    for (const one of nodes) message(writer, 1, node(one));
    text(writer, 2, name);
    for (const one of initializers) message(writer, 5, initializer(one));
    for (const one of inputs) message(writer, 11, valueInfo(one));
    for (const one of outputs) message(writer, 12, valueInfo(one));
  };
}

/** The bytes of an ONNX file. The writer holds them twice for a moment. */
export function encodeModel(model: ModelInfo): Uint8Array<ArrayBuffer> {
  const writer = new BinaryWriter();
  int(writer, 1, IR_VERSION);
  text(writer, 2, "heddle");
  message(writer, 7, graph(model.graph));
  for (const [domain, version] of Object.entries(model.opsets)) {
    message(writer, 8, (opset) => {
      if (domain !== "") text(opset, 1, domain);
      int(opset, 2, version);
    });
  }
  return writer.finish();
}
