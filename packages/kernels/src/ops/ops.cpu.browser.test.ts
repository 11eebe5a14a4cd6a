// The same tests on onnxruntime-web, in a real browser.
import "./ops.cpu.test.ts";
