import { HeddleError } from "@heddle/kernels";

/**
 * What the numbers of an ONNX file are, by transformers.js's names: `fp32`, the weights as they are, or `q8`, embeddings
 * and the weights of matrix products in int8, a quarter of the size.
 */
export type OnnxDtype = "fp32" | "q8";

/** Where transformers.js looks for each. */
const FILES: Readonly<Record<OnnxDtype, string>> = { fp32: "onnx/model.onnx", q8: "onnx/model_quantized.onnx" };

export const ONNX_DTYPES = Object.keys(FILES) as readonly OnnxDtype[];

export const onnxFileOf = (dtype: OnnxDtype): string => FILES[dtype];

/** True for the files in which transformers.js and Optimum keep any of a model's dtypes. */
export const isOnnxFile = (name: string): boolean => /^onnx\/model\w*\.onnx(_data.*|\.data)?$/.test(name);

/** Without repetitions. Throws INVALID_ARGUMENT for one that is not known, and for none. */
export function checkDtypes(dtypes: readonly string[]): OnnxDtype[] {
  const unknown = dtypes.find((dtype) => !ONNX_DTYPES.includes(dtype as OnnxDtype));
  if (unknown !== undefined || dtypes.length === 0) {
    throw new HeddleError("INVALID_ARGUMENT", `[exportOnnx] ${unknown === undefined ? "got no dtype" : `there is no dtype ${JSON.stringify(unknown)}`}: choose of ${ONNX_DTYPES.join(", ")}`);
  }
  return [...new Set(dtypes as readonly OnnxDtype[])];
}
