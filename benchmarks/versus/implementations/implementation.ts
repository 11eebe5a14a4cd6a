import type * as OnnxRuntimeNode from "onnxruntime-node";

/** A library with one work: Heddle or a peer. Written for Node and for pages alike. */
export interface Implementation<Shape> {
  /** Makes ready to run this shape, runs it and gives the numbers, row by row. What is left to compile then is compiled. */
  prepare(shape: Shape): Promise<Float32Array>;
  /** Does the prepared work so many times; resolves when the last result is there. */
  repeat(times: number): Promise<void>;
}

/** The product [m, k] · [k, n]. */
export type MatmulShape = readonly [m: number, k: number, n: number];
/** Token ids in. */
export type EncoderShape = readonly [batch: number, length: number];

/** onnxruntime-node and onnxruntime-web have one interface. */
export type OnnxRuntime = Pick<typeof OnnxRuntimeNode, "InferenceSession" | "Tensor">;
export type OnnxTensor = OnnxRuntimeNode.Tensor;
export type OnnxSession = OnnxRuntimeNode.InferenceSession;

/** What an implementation finds at the place where it runs. */
export interface Place {
  onnxRuntime(): Promise<OnnxRuntime>;
  /** Of onnxruntime. */
  readonly provider: "cpu" | "webgpu";
  /** For its CPU provider. */
  readonly threads: number;
  /** The encoder as a Hugging Face folder (in a page: an address) with `onnx/model.onnx`. */
  readonly model: string;
  /** The ONNX file to load. */
  readonly onnx: string;
}
