export * from "./checkpoint/index.ts";
export * from "./config/index.ts";
export * from "./generation/index.ts";
export * from "./models/index.ts";
export * from "./onnx/index.ts";
export * from "./text/index.ts";
export { inference, type ForwardMode } from "./nn/forward-mode.ts";
export { initialize } from "./nn/initialize.ts";
export { Scope, type Initializer, type ParameterSpec } from "./nn/scope.ts";
