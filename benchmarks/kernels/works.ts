import { adamW, add, asTensor, attention, crossEntropy, embedding, gelu, globalNorm, gradients, layerNorm, matmul, mul, scatterAdd, softmax, sum, type AdapterProfile, type State, type Tensor } from "@heddle/kernels";
import type { Work } from "../work.ts";
import { kernelWork } from "./program.ts";

const F32 = 4;

/** At the sizes of MiniLM with 8 × 64 tokens, of nanoGPT's CPU configuration with 12 × 64, and larger; on a GPU also such as fill it. */
export function kernelWorks(kind: AdapterProfile["kind"]): Work[] {
  return [...smallWorks(), ...(kind === "software" ? [] : largeWorks())];
}

function smallWorks(): Work[] {
  return [
    ...[256, 512, 1024].map((n) => product("nn", n, n, n)),
    ...layerProducts(8 * 64, 384, 384),
    ...layerProducts(8 * 64, 384, 1536),
    ...layerProducts(12 * 64, 128, 384),
    ...layerProducts(12 * 64, 128, 512),
    ...layerProducts(4096, 768, 768),
    ...[{ batch: 8, length: 64, heads: 12, size: 32, causal: false }, { batch: 12, length: 64, heads: 4, size: 32, causal: true }, { batch: 4, length: 512, heads: 12, size: 64, causal: true }].flatMap(attentions),
    ...[[512, 384], [768, 128], [4096, 768]].flatMap(([rows, features]) => layerNorms(rows!, features!)),
    ...[[6144, 64], [2048, 1024]].map(([rows, features]) => softmaxes(rows!, features!)),
    ...[[768, 65], [512, 30522]].flatMap(([rows, classes]) => crossEntropies(rows!, classes!)),
    ...[{ name: "nanoGPT", hidden: 128, layers: 4, vocabulary: 65 }, { name: "MiniLM", hidden: 384, layers: 6, vocabulary: 30522 }].flatMap(optimizers),
    ...[[30522, 384, 512], [65, 128, 768]].flatMap(([rows, features, ids]) => embeddings(rows!, features!, ids!)),
    ...[[512, 1536], [4096, 3072]].map(([rows, features]) => elementwise(rows!, features!)),
  ];
}

/** Seconds each on a software adapter, and more than a GPU's caches hold. */
function largeWorks(): Work[] {
  const [rows, features] = [16384, 4096];
  return [
    product("nn", 4096, 4096, 4096),
    product("nt", 4096, 4096, 4096),
    ...[1024, 4096].map((n) => product("nt", n, n, n, "f16")),
    ...[{ k: 4096, n: 4096 }, { k: 4096, n: 16384 }].flatMap(({ k, n }) => [product("nt", 1, k, n), product("nt", 1, k, n, "f16")]),
    ...attentions({ batch: 8, length: 2048, heads: 16, size: 64, causal: true }),
    ...layerNorms(rows, features),
    softmaxes(rows, features),
    ...crossEntropies(2048, 50304),
    ...optimizers({ name: "GPT-2", hidden: 768, layers: 12, vocabulary: 50257 }),
    ...embeddings(50257, 768, 8192),
    elementwise(rows, features),
  ];
}

/** The products of a layer [inputs → outputs]: forward, the gradient of its input and that of its weight. */
function layerProducts(tokens: number, inputs: number, outputs: number): Work[] {
  return [product("nn", tokens, inputs, outputs), product("nt", tokens, outputs, inputs), product("tn", inputs, tokens, outputs)];
}

function product(layout: "nn" | "nt" | "tn", m: number, k: number, n: number, weight: "f32" | "f16" = "f32"): Work {
  const [transposeA, transposeB] = [layout[0] === "t", layout[1] === "t"];
  return kernelWork({
    name: `matmul ${layout}${weight === "f16" ? ", f16 weight" : ""}`,
    shape: `${m} × ${k} × ${n}`,
    flops: 2 * m * k * n,
    bytes: F32 * (m * k + m * n) + (weight === "f16" ? 2 : F32) * k * n,
    tensors: { a: transposeA ? [k, m] : [m, k], b: transposeB ? [n, k] : [k, n] },
    half: weight === "f16" ? ["b"] : [],
    record: ({ a, b }) => ({ y: matmul(a!, b!, { transposeA, transposeB }) }),
  });
}

/** Σ y ⊙ dy has dy for the gradient of y; making it reads dy once and writes it once. */
const backward = (y: Tensor, dy: State, targets: readonly State[]) => Object.fromEntries(gradients(sum(mul(y, dy)), targets).map((gradient, i) => [`d${i}`, gradient]));

/** Products alone are counted (Dao 2023, section 4.1): two forward and five backward, half of each where causal. */
function attentions({ batch, length, heads, size, causal }: { batch: number; length: number; heads: number; size: number; causal: boolean }): Work[] {
  const shape = [batch, length, heads, size];
  const elements = batch * length * heads * size;
  const flops = (causal ? 2 : 4) * elements * length;
  const common = { shape: `${batch} × ${length} × ${heads} × ${size}${causal ? " causal" : ""}` };
  const statistics = batch * length * heads;
  return [
    kernelWork({ ...common, name: "attention forward", flops, bytes: F32 * (4 * elements), tensors: { q: shape, k: shape, v: shape }, record: ({ q, k, v }) => ({ y: attention(q!, k!, v!, { causal }) }) }),
    kernelWork({
      ...common,
      name: "attention forward + backward",
      flops: 3.5 * flops,
      bytes: F32 * (4 * elements + statistics + 2 * elements + 8 * elements + statistics),
      tensors: { q: shape, k: shape, v: shape, dy: shape },
      record: ({ q, k, v, dy }) => backward(attention(q!, k!, v!, { causal }), dy!, [q!, k!, v!]),
    }),
  ];
}

function layerNorms(rows: number, features: number): Work[] {
  const tensors = { x: [rows, features], weight: [features], bias: [features] };
  const [elements, shape] = [rows * features, `${rows} × ${features}`];
  return [
    kernelWork({ name: "layer norm forward", shape, flops: 8 * elements, bytes: F32 * (2 * elements + 2 * features), tensors, record: ({ x, weight, bias }) => ({ y: layerNorm(x!, weight!, bias!, 1e-5) }) }),
    kernelWork({
      name: "layer norm forward + backward",
      shape,
      flops: 24 * elements,
      bytes: F32 * (2 * elements + 2 * rows + 2 * elements + 3 * elements + 2 * rows + 5 * features),
      tensors: { ...tensors, dy: [rows, features] },
      record: ({ x, weight, bias, dy }) => backward(layerNorm(x!, weight!, bias!, 1e-5), dy!, [x!, weight!, bias!]),
    }),
  ];
}

function softmaxes(rows: number, features: number): Work {
  return kernelWork({ name: "softmax", shape: `${rows} × ${features}`, flops: 5 * rows * features, bytes: F32 * 2 * rows * features, tensors: { x: [rows, features] }, record: ({ x }) => ({ y: softmax(x!) }) });
}

function crossEntropies(rows: number, classes: number): Work[] {
  const elements = rows * classes;
  const common = { shape: `${rows} × ${classes}`, tensors: { logits: [rows, classes] }, ids: { labels: { shape: [rows], below: classes } } };
  return [
    kernelWork({ ...common, name: "cross-entropy forward", flops: 4 * elements, bytes: F32 * (elements + rows), record: ({ logits, labels }) => ({ loss: crossEntropy(logits!, labels!) }) }),
    kernelWork({
      ...common,
      name: "cross-entropy forward + backward",
      flops: 8 * elements,
      bytes: F32 * (3 * elements + 2 * rows),
      record: ({ logits, labels }) => ({ gradient: gradients(crossEntropy(logits!, labels!), [logits!])[0]! }),
    }),
  ];
}

/** Over the parameters of a Transformer: matrices, biases and norms. */
function optimizers({ name, hidden, layers, vocabulary }: { name: string; hidden: number; layers: number; vocabulary: number }): Work[] {
  const layer = [[hidden, 3 * hidden], [3 * hidden], [hidden, hidden], [hidden], [hidden, 4 * hidden], [4 * hidden], [4 * hidden, hidden], [hidden], [hidden], [hidden], [hidden], [hidden]];
  const shapes = [[vocabulary, hidden], ...Array.from({ length: layers }, () => layer).flat()];
  const elements = shapes.reduce((total, shape) => total + shape.reduce((product, extent) => product * extent, 1), 0);
  const tensors = (...kinds: string[]) => Object.fromEntries(shapes.flatMap((extents, i) => kinds.map((kind) => [`${kind}${i}`, extents])));
  const shape = `${name}, ${shapes.length} tensors`;
  return [
    kernelWork({
      name: "AdamW",
      shape,
      flops: 15 * elements,
      bytes: F32 * 7 * elements,
      tensors: tensors("parameter", "gradient", "first", "second"),
      families: ["parameter", "gradient", "first", "second"],
      record: (states) =>
        shapes.forEach((_, i) =>
          adamW({ parameter: states[`parameter${i}`]!, gradient: asTensor(states[`gradient${i}`]!), firstMoment: states[`first${i}`]!, secondMoment: states[`second${i}`]!, learningRate: 1e-4, biasCorrection1: 0.5, biasCorrection2: 0.5 }),
        ),
    }),
    kernelWork({ name: "global norm", shape, flops: 2 * elements, bytes: F32 * elements, tensors: tensors("gradient"), families: ["gradient"], record: (states) => ({ norm: globalNorm(Object.values(states)) }) }),
  ];
}

function embeddings(rows: number, features: number, count: number): Work[] {
  const ids = { ids: { shape: [count], below: rows } };
  const shape = `${count} of ${rows} × ${features}`;
  return [
    kernelWork({ name: "embedding", shape, flops: 0, bytes: F32 * (2 * count * features + count), tensors: { table: [rows, features] }, ids, record: ({ table, ids }) => ({ y: embedding(table!, ids!) }) }),
    kernelWork({ name: "scatter-add", shape, flops: count * features, bytes: F32 * (count * features + count + rows * features), tensors: { updates: [count, features] }, ids, record: ({ updates, ids }) => ({ y: scatterAdd(ids!, updates!, rows) }) }),
  ];
}

/** One fused kernel. */
function elementwise(rows: number, features: number): Work {
  const elements = rows * features;
  return kernelWork({ name: "GELU(x) + residual", shape: `${rows} × ${features}`, flops: 10 * elements, bytes: F32 * 3 * elements, tensors: { x: [rows, features], residual: [rows, features] }, record: ({ x, residual }) => ({ y: add(gelu(asTensor(x!)), residual!) }) });
}
