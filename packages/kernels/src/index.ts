// Errors
export { HeddleError, type ErrorCode } from "./errors.ts";

// Devices and what lives on them
export type { Device, Executable, MemoryPlan, PrepareOptions, RunOptions, State, StateSpec } from "./device/device.ts";
export type { AdapterProfile } from "./device/profile.ts";
export { ReferenceDevice } from "./reference/device.ts";
export { openDevice, type DeviceName, type OpenDeviceOptions } from "./device/open.ts";
export type { Trial, TrialRun } from "./device/choose.ts";
export { listDevices, type DeviceList, type DeviceListing } from "./device/list.ts";
export { WebGpuDevice } from "./webgpu/device.ts";
export { measureCeilings, openCeilingProbes, type CeilingProbe, type CeilingProbes, type Ceilings } from "./device/ceiling.ts";

// Which kernels a device uses, by measurement
export { tuneProgram, type TuneEvent, type TuneOptions, type TuneResult } from "./tune/tune-program.ts";
export type { CandidateResult } from "./tune/choose.ts";
export type { TuneMode } from "./device/open-webgpu.ts";

// Programs: trace, differentiate, compile
export { compile, hostTensor, scalar, type CompiledFunction, type RunInputs } from "./program/compile.ts";
export { assign, asTensor, constant, placeholder, trace, type TensorLike, type TracedFunction } from "./program/trace.ts";
export { gradients } from "./program/autodiff.ts";
export { Tensor } from "./program/tensor.ts";
export type { Program } from "./program/program.ts";
export { geometricBuckets, roundUpToBucket } from "./program/buckets.ts";
export { fromFloat16, toFloat16 } from "./program/float16.ts";
export { bytesPerElement, formatShape, sizeOf, type DType, type HostTensor, type Shape, type TensorType } from "./program/types.ts";

// Files for other runtimes
export { exportToOnnx, type OnnxExport, type OnnxInput } from "./onnx/export.ts";

// Profiles
export { profile, type ProfileOptions } from "./profile/profile.ts";
export type { ProfileReport, ProfileRow, ProfileSpan } from "./profile/report.ts";
export { toChromeTrace, type ChromeTrace, type ChromeTraceEvent } from "./profile/chrome-trace.ts";

// Operations
export { add, div, equal, less, maximum, mul, neg, sub, where } from "./ops/elementwise/arithmetic.ts";
export { cast, exp, log, sigmoid, sqrt, tanh } from "./ops/elementwise/unary.ts";
export { max, mean, sum, type ReduceOptions } from "./ops/reduce/op.ts";
export { reshape } from "./ops/reshape/op.ts";
export { broadcastTo } from "./ops/broadcast/op.ts";
export { concat } from "./ops/movement/concat.ts";
export { pad, slice, type PadOptions, type SliceOptions } from "./ops/movement/slice.ts";
export { transpose } from "./ops/movement/transpose.ts";
export { activation, activationNames, gelu, geluQuick, geluTanh, relu, silu, softplus, type ActivationName } from "./ops/activation/op.ts";
export { attention, type AttentionOptions } from "./ops/attention/op.ts";
export { cacheLengths, extendCache, type CacheExtension } from "./ops/kvcache/op.ts";
export { rotaryEmbedding, type RotaryEmbeddingOptions, type RotaryOptions } from "./ops/rotary/op.ts";
export { rotaryTable, type RotaryTableOptions } from "./ops/rotary/table.ts";
export { cumulativeSum } from "./ops/cumulativesum/op.ts";
export { dropout } from "./ops/dropout/op.ts";
export { pcg3d } from "./ops/dropout/random.ts";
export { embedding, scatterAdd } from "./ops/embedding/op.ts";
export { addLayerNorm, layerNorm } from "./ops/layernorm/op.ts";
export { matmul } from "./ops/matmul/op.ts";
export { dequantize } from "./ops/quantize/op.ts";
export { partTypes, QUANTIZATION_FORMATS, quantizedBytes, zeroQuantizedTensor, type QuantizationFormat, type QuantizedTensor } from "./ops/quantize/format.ts";
export { dequantizeWeight, quantizeWeight } from "./ops/quantize/quantize.ts";
export { createQuantizedState, isQuantized, type QuantizedState, type QuantizedWeight } from "./ops/quantize/weight.ts";
export { quantizedMatmul, type QuantizedMatmulOptions } from "./ops/quantizedmatmul/op.ts";
export { addRmsNorm, rmsNorm, type RmsNormOptions } from "./ops/rmsnorm/op.ts";
export { logSoftmax, softmax } from "./ops/softmax/op.ts";
export { argmax, topK } from "./ops/topk/op.ts";
export { crossEntropy, softCrossEntropy, type CrossEntropyOptions } from "./ops/crossentropy/op.ts";
export { linearCrossEntropy, type LinearCrossEntropyOptions } from "./ops/linearcrossentropy/op.ts";
export { bceWithLogits, mseLoss, type BceWithLogitsOptions, type LossOptions } from "./ops/losses/op.ts";
export { adamW, biasCorrections, type AdamWUpdate } from "./ops/optimizer/adamw.ts";
export { clipScale, globalNorm } from "./ops/optimizer/global-norm.ts";
export { sgd, type SgdUpdate } from "./ops/optimizer/sgd.ts";
