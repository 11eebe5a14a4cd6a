import { linearWorkgroups } from "../../program/kernel.ts";
import { kernelMemo } from "../../program/kernel-memo.ts";
import type { BufferRef } from "../../program/lowering.ts";
import type { LowerContext } from "../../program/op.ts";
import { chooseMatmulKernel, tileExtent, type MatmulDesign } from "./choose.ts";
import { ACTIVATION_WORKGROUP_SIZE, activationPassKernel, NO_EPILOGUE, type Epilogue } from "./epilogue.wgsl.ts";
import { NAIVE_WORKGROUP_SIZE, naiveKernel, sumSplitsKernel } from "./naive.wgsl.ts";
import { matmulShape, type MatmulAttributes, type MatmulShape } from "./op.ts";
import { PACK_WORKGROUP_SIZE, packKernel } from "./pack.wgsl.ts";
import { registerTileKernel, type MatmulVariant } from "./register-tile.wgsl.ts";
import { workgroupTileKernel } from "./workgroup-tile.wgsl.ts";

const kernelOnce = kernelMemo();

const widthOf = (extent: number) => (extent % 4 === 0 ? 4 : 1);
const upTo4 = (extent: number) => Math.ceil(extent / 4) * 4;

/** @param choose what picks the design; a tuner or a test passes its own */
export function lowerMatmul(context: LowerContext<MatmulAttributes>, choose = chooseMatmulKernel): void {
  const { attributes, inputs, outputs, adapter, dispatch } = context;
  const [a, b, bias] = inputs as [BufferRef, BufferRef, BufferRef | undefined];
  const shape = matmulShape(a.type.shape, b.type.shape, attributes);
  const { m, n, batches } = shape;
  if (m * n * batches === 0) return;
  const { design, splits } = choose(adapter, shape);
  const [y, preActivation] = outputs as [BufferRef, BufferRef | undefined];
  const epilogue: Epilogue = { bias: bias !== undefined, activation: attributes.activation, keepsPreActivation: preActivation !== undefined };
  if (design.kind !== "register") {
    multiply(context, design, splits, shape, { a, b, bias, outputs, epilogue });
    return;
  }
  const sums = preActivation ?? y;
  const linear = { bias, outputs: [sums], epilogue: { ...NO_EPILOGUE, bias: epilogue.bias } };
  if (adapter.kind === "software") multiplyPacked(context, design, splits, shape, { a, b, ...linear });
  else multiply(context, design, splits, shape, { a, b, ...linear });
  if (attributes.activation === "identity") return;
  const size = batches * m * n;
  const width = widthOf(size);
  const inPlace = preActivation === undefined;
  dispatch({
    kernel: kernelOnce(["activation", attributes.activation, width, inPlace], () => activationPassKernel(attributes.activation, width, inPlace)),
    buffers: inPlace ? [y] : [sums, y],
    params: { count: size / width },
    workgroups: linearWorkgroups(size / width, ACTIVATION_WORKGROUP_SIZE),
    flops: size,
    bytes: 8 * size,
  });
}

interface Operands {
  readonly a: BufferRef;
  readonly b: BufferRef;
  readonly bias: BufferRef | undefined;
  readonly outputs: readonly BufferRef[];
  readonly epilogue: Epilogue;
}

type Context = LowerContext<MatmulAttributes>;

/**
 * Brings operands into the two layouts that a CPU has kernels for, A·B and Aᵀ·B with all sizes multiples of 4, and
 * multiplies. Weights are small beside activations, so transposing them costs little; activations stay as they are.
 */
function multiplyPacked(context: Context, design: MatmulDesign, splits: number, shape: MatmulShape, operands: Operands): void {
  const { m, n, k, transposeA, transposeB, batches, sharesA, sharesB } = shape;
  const [k4, n4] = [upTo4(k), upTo4(n)];
  const m4 = transposeA ? upTo4(m) : m;
  const [batchesA, batchesB] = [sharesA ? 1 : batches, sharesB ? 1 : batches];
  let { a, b } = operands;
  if (transposeA && (m !== m4 || k !== k4)) a = pack(context, a, { batches: batchesA, rows: k, columns: m, rowStride: m, columnStride: 1 }, k4, m4);
  if (!transposeA && k !== k4) a = pack(context, a, { batches: batchesA, rows: m, columns: k, rowStride: k, columnStride: 1 }, m, k4);
  if (transposeB || k !== k4 || n !== n4) {
    b = pack(context, b, { batches: batchesB, rows: k, columns: n, rowStride: transposeB ? 1 : n, columnStride: transposeB ? k : 1 }, k4, n4);
  }
  const padded = { ...shape, m: m4, n: n4, k: k4, transposeB: false };
  if (m === m4 && n === n4) {
    multiply(context, design, splits, padded, { ...operands, a, b });
    return;
  }
  const full = context.scratch({ dtype: "f32", shape: [batches, m4, n4] });
  multiply(context, design, splits, padded, { ...operands, a, b, outputs: [full] });
  copy(context, full, operands.outputs[0]!, { batches, rows: m, columns: n, rowStride: n4, columnStride: 1, batchStride: m4 * n4 }, m, n);
}

interface Strided {
  readonly batches: number;
  readonly rows: number;
  readonly columns: number;
  readonly rowStride: number;
  readonly columnStride: number;
  readonly batchStride?: number;
}

function pack(context: Context, x: BufferRef, layout: Strided, outRows: number, outColumns: number): BufferRef {
  const y = context.scratch({ dtype: "f32", shape: [layout.batches, outRows, outColumns] });
  copy(context, x, y, layout, outRows, outColumns);
  return y;
}

function copy({ dispatch }: Context, x: BufferRef, y: BufferRef, { batches, ...layout }: Strided, outRows: number, outColumns: number): void {
  const groups = Math.ceil(outColumns / 4);
  const count = batches * outRows * groups;
  dispatch({
    kernel: packKernel,
    buffers: [x, y],
    params: { count, batchStride: layout.rows * layout.columns, ...layout, outRows, outColumns, groups },
    workgroups: linearWorkgroups(count, PACK_WORKGROUP_SIZE),
    flops: 0,
    bytes: 8 * batches * outRows * outColumns,
  });
}

/** The product, and the sum of its parts where k is split. */
function multiply({ scratch, dispatch }: Context, design: MatmulDesign, wantedSplits: number, shape: MatmulShape, { a, b, bias, outputs, epilogue }: Operands): void {
  const { m, n, k, batches } = shape;
  // Whole vec4s in every part but the last.
  const chunk = Math.max(4, upTo4(Math.ceil(k / wantedSplits)));
  const splits = Math.max(1, Math.ceil(k / chunk));
  const product = (y: readonly BufferRef[], end: Epilogue) => {
    // The register tile has a bias bound always, and reads it only when told.
    const bound = design.kind === "register" ? [end.bias ? bias! : b] : end.bias ? [bias!] : [];
    dispatch({
      ...tiles(design, shape, end, chunk, splits),
      buffers: [a, b, ...bound, ...y],
      flops: 2 * m * n * k * batches,
      bytes: 4 * ((shape.sharesA ? 1 : batches) * m * k + (shape.sharesB ? 1 : batches) * k * n + batches * m * n * y.length),
    });
  };
  if (splits === 1) {
    product(outputs, epilogue);
    return;
  }
  const parts = scratch({ dtype: "f32", shape: [splits, batches, m, n] });
  product([parts], NO_EPILOGUE);
  const width = widthOf(n);
  const count = (batches * m * n) / width;
  dispatch({
    kernel: kernelOnce(["sum-splits", epilogue, width], () => sumSplitsKernel(epilogue, width)),
    buffers: [parts, ...(bias ? [bias] : []), ...outputs],
    params: { count, n: n / width, splits },
    workgroups: linearWorkgroups(count, NAIVE_WORKGROUP_SIZE),
    flops: splits * batches * m * n,
    bytes: 4 * (splits + outputs.length) * batches * m * n,
  });
}

function tiles(design: MatmulDesign, shape: MatmulShape, epilogue: Epilogue, chunk: number, splits: number) {
  const { m, n, k, batches, transposeA, transposeB, sharesA, sharesB } = shape;
  const parts = batches * splits;
  const sizes = { m, n, k, chunk, batches, strideA: sharesA ? 0 : m * k, strideB: sharesB ? 0 : k * n };
  if (design.kind === "naive") {
    const count = parts * m * n;
    const [rowA, stepA] = transposeA ? [1, m] : [k, 1];
    const [columnB, stepB] = transposeB ? [k, 1] : [1, n];
    return {
      kernel: kernelOnce(["naive", epilogue], () => naiveKernel(epilogue)),
      params: { count, ...sizes, rowA, stepA, columnB, stepB },
      workgroups: linearWorkgroups(count, NAIVE_WORKGROUP_SIZE),
    };
  }
  const quad = design.kind === "register" && design.share === "quad";
  const variant: MatmulVariant = {
    transposeA,
    transposeB,
    // With quads, a lane loads single elements along k: four lanes make the vec4.
    widthA: quad && !transposeA ? 1 : widthOf(transposeA ? m : k),
    widthB: widthOf(transposeB ? k : n),
    widthY: widthOf(n),
    raggedK: design.kind === "register" && k % 4 !== 0,
  };
  const [rows, columns] = tileExtent(design);
  const tilesM = Math.ceil(m / rows);
  const tilesN = Math.ceil(n / columns);
  const kernel =
    design.kind === "register"
      ? kernelOnce([design, variant], () => registerTileKernel(variant, design))
      : kernelOnce([design, variant, epilogue], () => workgroupTileKernel(variant, design, epilogue));
  return {
    kernel,
    params: { ...sizes, tilesM, tilesN, parts, ...(design.kind === "register" && { biased: epilogue.bias ? 1 : 0 }) },
    workgroups: linearWorkgroups(parts * tilesM * tilesN, 1),
  };
}
