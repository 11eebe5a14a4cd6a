import fc from "fast-check";
import { describe, it } from "vitest";
import { environment } from "../device/environment.ts";
import type { TracedFunction } from "../program/trace.ts";
import type { HostTensor } from "../program/types.ts";
import { checkWithGradients, randomTensor } from "../testing/check.ts";
import { testDevice } from "../testing/devices.ts";
import { activation, activationNames } from "./activation/op.ts";
import { attention } from "./attention/op.ts";
import { crossEntropy } from "./crossentropy/op.ts";
import { add, div, maximum, mul, sub } from "./elementwise/arithmetic.ts";
import { embedding, scatterAdd } from "./embedding/op.ts";
import { layerNorm } from "./layernorm/op.ts";
import { matmul } from "./matmul/op.ts";
import { concat } from "./movement/concat.ts";
import { pad, slice } from "./movement/slice.ts";
import { transpose } from "./movement/transpose.ts";
import { globalNorm } from "./optimizer/global-norm.ts";
import { max, mean, sum } from "./reduce/op.ts";
import { logSoftmax, softmax } from "./softmax/op.ts";
import { topK } from "./topk/op.ts";

// Shapes that nobody thought of, forward and backward, against the f64 reference. HEDDLE_PROPERTY_RUNS=1000 searches longer,
// HEDDLE_PROPERTY_SEED=n elsewhere; a failure prints the smallest case found and its seed.
const runs = Number(environment("HEDDLE_PROPERTY_RUNS") ?? 8);
const seed = Number(environment("HEDDLE_PROPERTY_SEED") ?? 20261125);

const device = await testDevice();

/** One case of an op: what to compute from what, and what to differentiate by. */
interface Case {
  readonly fn: TracedFunction;
  readonly inputs: Record<string, HostTensor>;
  readonly wrt?: readonly string[];
}

/** Extents about the seams of kernels: empty, one, odd, whole vec4s, a tile and one more. */
const extent = (most: number) => fc.oneof({ weight: 1, arbitrary: fc.constantFrom(0, 1) }, { weight: 4, arbitrary: fc.integer({ min: 1, max: most }) }, { weight: 2, arbitrary: fc.integer({ min: 1, max: Math.floor(most / 4) }).map((fours) => 4 * fours) });
const filled = (most: number) => extent(most).map((size) => Math.max(1, size));
const shape = (rank: { min: number; max: number }, most: number) => fc.array(extent(most), { minLength: rank.min, maxLength: rank.max });
/** Small and large numbers break different things. */
const scale = fc.constantFrom(1e-4, 1, 1, 30);
const integers = (dims: readonly number[], below: number, step = 7) => ({ shape: dims, data: Int32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => (i * step + 1) % below) });

const cases: Record<string, fc.Arbitrary<Case>> = {
  matmul: fc
    .record({ m: extent(80), k: extent(150), n: extent(80), batches: fc.constantFrom<number[]>([], [1], [3], [2, 2]), sharesB: fc.boolean(), transposeA: fc.boolean(), transposeB: fc.boolean(), biased: fc.boolean(), kind: fc.constantFrom("linear", "linear", "gelu", "silu", "tanh"), scale })
    .map(({ m, k, n, batches, sharesB, transposeA, transposeB, biased, kind, scale }) => ({
      fn: ({ a, b, bias }) => ({ y: matmul(a!, b!, { transposeA, transposeB, activation: kind as "linear", ...(biased && { bias: bias! }) }) }),
      inputs: {
        a: randomTensor([...batches, ...(transposeA ? [k, m] : [m, k])], 1, scale),
        b: randomTensor([...(sharesB ? [] : batches), ...(transposeB ? [n, k] : [k, n])], 2),
        ...(biased && { bias: randomTensor([n], 3) }),
      },
      wrt: ["a", "b", ...(biased ? ["bias"] : [])],
    })),
  attention: fc
    .record({ batch: fc.integer({ min: 0, max: 3 }), queries: extent(40), keys: filled(40), keyHeads: fc.integer({ min: 1, max: 3 }), serves: fc.integer({ min: 1, max: 3 }), headDim: filled(72), masked: fc.boolean(), biased: fc.boolean(), causal: fc.boolean(), scale })
    .map(({ batch, queries, keys, keyHeads, serves, headDim, masked, biased, causal, scale }) => ({
      fn: ({ q, k, v, mask, bias }) => ({ y: attention(q!, k!, v!, { causal, ...(masked && { mask: mask! }), ...(biased && { bias: bias! }) }) }),
      inputs: {
        q: randomTensor([batch, queries, keyHeads * serves, headDim], 1, scale),
        k: randomTensor([batch, keys, keyHeads, headDim], 2),
        v: randomTensor([batch, keys, keyHeads, headDim], 3),
        ...(masked && { mask: integers([batch, keys], 3) }),
        ...(biased && { bias: randomTensor([1, keyHeads * serves, queries, keys], 4) }),
      },
      wrt: ["q", "k", "v", ...(biased ? ["bias"] : [])],
    })),
  layerNorm: fc
    .record({ lead: shape({ min: 0, max: 2 }, 20), features: filled(300), scale })
    .map(({ lead, features, scale }) => ({
      fn: ({ x, weight, bias }) => ({ y: layerNorm(x!, weight!, bias!, 1e-5) }),
      inputs: { x: randomTensor([...lead, features], 1, scale), weight: randomTensor([features], 2), bias: randomTensor([features], 3) },
      // Of one number the variance is 0 and the gradient about 1/√epsilon times a difference that should be 0.
      wrt: features > 1 && scale >= 1 ? ["x", "weight", "bias"] : ["bias"],
    })),
  softmax: fc
    .record({ lead: shape({ min: 0, max: 2 }, 20), classes: filled(300), log: fc.boolean(), scale })
    .map(({ lead, classes, log, scale }) => ({ fn: ({ x }) => ({ y: (log ? logSoftmax : softmax)(x!) }), inputs: { x: randomTensor([...lead, classes], 1, scale) }, wrt: ["x"] })),
  crossEntropy: fc
    .record({ rows: filled(40), classes: filled(700), labelSmoothing: fc.constantFrom(0, 0.1), reduction: fc.constantFrom("mean" as const, "sum" as const, "none" as const), scale })
    .map(({ rows, classes, labelSmoothing, reduction, scale }) => ({ fn: ({ x, labels }) => ({ y: crossEntropy(x!, labels!, { labelSmoothing, reduction }) }), inputs: { x: randomTensor([rows, classes], 1, scale), labels: integers([rows], classes) }, wrt: ["x"] })),
  embedding: fc
    .record({ rows: filled(50), features: extent(40), ids: shape({ min: 1, max: 2 }, 20) })
    .map(({ rows, features, ids }) => ({ fn: ({ table, ids }) => ({ y: embedding(table!, ids!) }), inputs: { table: randomTensor([rows, features], 1), ids: integers(ids, rows, 3) }, wrt: ["table"] })),
  scatterAdd: fc
    .record({ rows: filled(50), features: filled(40), count: extent(60) })
    .map(({ rows, features, count }) => ({ fn: ({ ids, updates }) => ({ y: scatterAdd(ids!, updates!, rows) }), inputs: { ids: integers([count], rows, 3), updates: randomTensor([count, features], 1) }, wrt: ["updates"] })),
  reduce: fc
    .record({ shape: shape({ min: 1, max: 4 }, 12), axes: fc.uniqueArray(fc.integer({ min: 0, max: 3 }), { maxLength: 3 }), keepDims: fc.boolean(), which: fc.constantFrom("sum", "mean", "max") })
    .map(({ shape, axes, keepDims, which }) => {
      const inside = axes.filter((axis) => axis < shape.length);
      // The mean and the largest of nothing are no numbers.
      const dims = which === "sum" ? shape : shape.map((size) => Math.max(1, size));
      const fold = which === "sum" ? sum : which === "mean" ? mean : max;
      return { fn: ({ x }) => ({ y: fold(x!, { ...(inside.length > 0 && { axes: inside }), keepDims }) }), inputs: { x: randomTensor(dims, 1) }, wrt: which === "max" ? [] : ["x"] };
    }),
  "element-wise with broadcasting": fc
    .record({ shape: shape({ min: 1, max: 4 }, 9), ones: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }), cut: fc.integer({ min: 0, max: 3 }), kind: fc.constantFrom(...activationNames), scale })
    .map(({ shape, ones, cut, kind, scale }) => {
      const small = shape.map((size, axis) => (ones[axis] ? 1 : size)).slice(Math.min(cut, shape.length));
      return {
        fn: ({ a, b }) => ({ y: sub(mul(activation(kind, a!), b!), div(maximum(a!, b!), 3)), z: add(b!, a!) }),
        inputs: { a: randomTensor(shape, 1, scale), b: randomTensor(small, 2) },
        wrt: ["a", "b"],
      };
    }),
  movement: fc
    .record({ shape: fc.array(filled(9), { minLength: 2, maxLength: 3 }), axis: fc.integer({ min: 0, max: 2 }), before: fc.integer({ min: 0, max: 3 }), after: fc.integer({ min: 0, max: 3 }), at: fc.float({ min: 0, max: 1, noNaN: true }) })
    .map(({ shape, axis: anyAxis, before, after, at }) => {
      const axis = anyAxis % shape.length;
      const begin = Math.floor(at * (shape[axis]! - 1));
      return {
        fn: ({ x, y }) => ({ a: concat([x!, y!, slice(x!, { axis, begin })], axis), b: transpose(pad(x!, { axis, before, after })), c: slice(x!, { axis, begin: 0, end: begin + 1 }) }),
        inputs: { x: randomTensor(shape, 1), y: randomTensor(shape.map((size, i) => (i === axis ? size + 2 : size)), 2) },
        wrt: ["x", "y"],
      };
    }),
  globalNorm: fc
    .record({ shapes: fc.array(shape({ min: 0, max: 3 }, 20), { minLength: 1, maxLength: 12 }), scale })
    .map(({ shapes, scale }) => {
      const inputs = Object.fromEntries(shapes.map((dims, i) => [`g${i}`, randomTensor(dims, i + 1, scale)]));
      return { fn: (tensors) => ({ norm: globalNorm(Object.keys(inputs).map((name) => tensors[name]!)) }), inputs };
    }),
  topK: fc
    .record({ lead: shape({ min: 0, max: 2 }, 9), classes: filled(200), k: fc.integer({ min: 1, max: 8 }) })
    .map(({ lead, classes, k }) => ({ fn: ({ x }) => ({ ...topK(x!, Math.min(k, classes)) }), inputs: { x: randomTensor([...lead, classes], 1) } })),
};

describe("at random shapes", () => {
  it.each(Object.entries(cases))("%s is the reference, forward and backward", async (_, arbitrary) => {
    await fc.assert(fc.asyncProperty(arbitrary, async ({ fn, inputs, wrt = [] }) => checkWithGradients(device, fn, inputs, wrt)), { numRuns: runs, seed, endOnFailure: false });
  });
});
