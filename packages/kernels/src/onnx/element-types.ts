/** ONNX's numbers of element types (TensorProto.DataType). */
export const elementTypes = { f32: 1, u8: 2, i8: 3, i32: 6, i64: 7, bool: 9, f16: 10, u32: 12 } as const;
export type ElementType = keyof typeof elementTypes;
