// The same tests as in Node, in a real browser: its WGSL compiler, its limits, and robustness that cannot be switched off.
import "../webgpu/executable.test.ts";
import "./attention/sharing.test.ts";
import "./every-op.ts";
