// The same tests as on WebGPU, on onnxruntime. They choose their device when they are imported.
import { testOnCpu } from "../testing/devices.ts";

testOnCpu();
await import("./activation/op.test.ts");
await import("./attention/op.test.ts");
await import("./crossentropy/op.test.ts");
await import("./dropout/op.test.ts");
await import("./embedding/op.test.ts");
await import("./layernorm/op.test.ts");
await import("./losses/op.test.ts");
await import("./matmul/op.test.ts");
await import("./movement/movement.test.ts");
await import("./optimizer/optimizer.test.ts");
await import("./softmax/op.test.ts");
await import("./topk/op.test.ts");
