export { ONNX_DTYPES, type OnnxDtype } from "./dtypes.ts";
export { exportOnnx, modelToOnnx, type ExportOnnxOptions } from "./export.ts";
