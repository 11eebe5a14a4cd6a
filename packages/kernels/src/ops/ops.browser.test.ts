// The same tests as in Node, in a real browser: its WGSL compiler, its limits, and robustness that cannot be switched off.
import "../webgpu/executable.test.ts";
import "./activation/op.test.ts";
import "./attention/op.test.ts";
import "./crossentropy/op.test.ts";
import "./dropout/op.test.ts";
import "./embedding/op.test.ts";
import "./layernorm/op.test.ts";
import "./losses/op.test.ts";
import "./matmul/op.test.ts";
import "./movement/movement.test.ts";
import "./optimizer/optimizer.test.ts";
import "./softmax/op.test.ts";
import "./topk/op.test.ts";
