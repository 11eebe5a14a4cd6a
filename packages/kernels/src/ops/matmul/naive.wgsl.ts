import { defineKernel, type Kernel } from "../../program/kernel.ts";
import { epilogueWgsl, type Epilogue } from "./epilogue.wgsl.ts";
import { weightsWgsl, type WeightFormat } from "./weights.wgsl.ts";

export const NAIVE_WORKGROUP_SIZE = 32;

/** One lane an element of y: for results too small for tiles. Any size, either operand transposed by its strides. */
export function naiveKernel(epilogue: Epilogue, format: WeightFormat): Kernel {
  const weights = weightsWgsl(format, 1);
  const { label, reads, writes, module, store } = epilogueWgsl(epilogue, 1);
  return defineKernel({
    label: `matmul/naive${label}/${format}`,
    reads: { a: "array<f32>", ...weights.reads, ...reads },
    writes,
    params: { m: "u32", n: "u32", k: "u32", chunk: "u32", batches: "u32", strideA: "u32", strideB: "u32", rowA: "u32", stepA: "u32", columnB: "u32", stepB: "u32" },
    module: `${weights.module}\n${module}`,
    workgroupSize: [NAIVE_WORKGROUP_SIZE],
    linear: true,
    body: `
  let column = index % p.n;
  let row = (index / p.n) % p.m;
  let part = index / (p.n * p.m);
  let split = part / p.batches;
  let kEnd = min((split + 1u) * p.chunk, p.k);
  let startA = (part % p.batches) * p.strideA + row * p.rowA;
  let startB = (part % p.batches) * p.strideB + column * p.columnB;
  var total = 0.0;
  for (var k = split * p.chunk; k < kEnd; k++) {
    total = fma(a[startA + k * p.stepA], ${weights.one("startB + k * p.stepB")}, total);
  }
  ${store("index", "column", "total")}`,
  });
}

/** Adds the parts of a split sum in order: x [splits, batches · m · n] → y, then the epilogue. */
export function sumSplitsKernel(epilogue: Epilogue, width: 1 | 4): Kernel {
  const { label, reads, writes, module, store } = epilogueWgsl(epilogue, width);
  const type = width === 4 ? "vec4f" : "f32";
  return defineKernel({
    label: `matmul/sum-splits/x${width}${label}/f32`,
    reads: { x: `array<${type}>`, ...reads },
    writes,
    params: { n: "u32", splits: "u32" },
    module,
    workgroupSize: [NAIVE_WORKGROUP_SIZE],
    linear: true,
    body: `
  var total = ${type}(0);
  for (var split = 0u; split < p.splits; split++) { total += x[split * p.count + index]; }
  ${store("index", "index % p.n", "total")}`,
  });
}
