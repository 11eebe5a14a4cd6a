// Errors
export { HeddleError, type ErrorCode } from "./errors.ts";

// Devices and what lives on them
export type { Device, Executable, MemoryPlan, RunOptions, State } from "./device/device.ts";
export type { AdapterProfile } from "./device/profile.ts";
export { ReferenceDevice } from "./reference/device.ts";

// Programs: trace, differentiate, compile
export { compile, hostTensor, scalar, type CompiledFunction, type RunInputs } from "./program/compile.ts";
export { assign, asTensor, constant, placeholder, trace, type TensorLike, type TracedFunction } from "./program/trace.ts";
export { gradients } from "./program/autodiff.ts";
export { Tensor } from "./program/tensor.ts";
export type { Program } from "./program/program.ts";
export { geometricBuckets, roundUpToBucket } from "./program/buckets.ts";
export { formatShape, sizeOf, type DType, type HostTensor, type Shape, type TensorType } from "./program/types.ts";

// Operations
export { add, div, equal, less, maximum, mul, neg, sub, where } from "./ops/elementwise/arithmetic.ts";
export { cast, exp, log, sigmoid, sqrt, tanh } from "./ops/elementwise/unary.ts";
export { max, mean, sum, type ReduceOptions } from "./ops/reduce/op.ts";
export { reshape } from "./ops/reshape/op.ts";
export { broadcastTo } from "./ops/broadcast/op.ts";
