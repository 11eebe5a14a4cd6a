// The same tests as on WebGPU, on onnxruntime. They choose their device when they are imported.
import { testOnCpu } from "../testing/devices.ts";

testOnCpu();
await import("./every-op.ts");
