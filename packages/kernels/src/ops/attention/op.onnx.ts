import type { OnnxContext, OnnxOperand } from "../../onnx/context.ts";
import { sameDim, type Dim } from "../../onnx/dims.ts";
import { float, type OnnxGraph, type Value } from "../../onnx/graph.ts";
import { onnxDropoutMask } from "../dropout/random.onnx.ts";
import type { AttentionKeysAttributes } from "./keys.ts";
import type { AttentionAttributes } from "./op.ts";

/** The smallest f32, added to the score of a key that is not attended to: whatever the key holds vanishes in the sum. */
const MASKED = -3.4028234663852886e38;

/** Nothing is computed here: attention takes the mask and the key as they are. */
export function onnxAttentionKeys({ graph, inputs, attributes: { mask, dropout }, keep }: OnnxContext<AttentionKeysAttributes>): Value[] {
  if (mask) keep("attended", graph.op("Unsqueeze", [graph.cast(inputs[0]!.value, "bool"), graph.ints([1, 2])]));
  if (dropout) keep("dropoutKey", inputs[mask ? 1 : 0]!.value);
  return [""];
}

/** [batch, length, heads, headDim] ↔ [batch, heads, length, headDim]. */
const swapHeads = (graph: OnnxGraph, x: Value) => graph.op("Transpose", [x], { perm: [0, 2, 1, 3] });

/** Heads of k or v as many as q has: [batch, heads, length, headDim]. */
function keyHeads(graph: OnnxGraph, x: OnnxOperand, heads: Dim): Value {
  const [batch, length, own, headDim] = x.dims as [Dim, Dim, number, Dim];
  if (own === heads) return swapHeads(graph, x.value);
  const groups = (heads as number) / own;
  const repeated = graph.op("Expand", [graph.op("Unsqueeze", [x.value, graph.ints([3])]), graph.extents([batch, length, own, groups, headDim])]);
  return swapHeads(graph, graph.reshape(repeated, [batch, length, heads, headDim]));
}

/** Which keys each query attends to, as a Boolean that broadcasts to [batch, heads, queries, keys]; null for all. */
function attended(graph: OnnxGraph, queries: Dim, keys: Dim, control: OnnxOperand, causal: boolean): Value | null {
  const mask = control.kept("attended") ?? null;
  if (!causal) return mask;
  const steps = (extent: Dim) => graph.op("Range", [graph.scalarExtent(0), graph.scalarExtent(extent), graph.scalarExtent(1)]);
  const shift = graph.op("Sub", [graph.scalarExtent(keys), graph.scalarExtent(queries)]);
  const last = graph.op("Unsqueeze", [graph.op("Add", [steps(queries), shift]), graph.ints([1])]);
  const before = graph.op("LessOrEqual", [steps(keys), last]);
  return mask ? graph.op("And", [mask, before]) : before;
}

const additive = (graph: OnnxGraph, allowed: Value) => graph.op("Where", [allowed, graph.float(0), graph.float(MASKED)]);

/** 1 for a query with any key, 0 for one without, broadcasting like `allowed`; null where all have one. */
function queriesWithKeys(graph: OnnxGraph, queries: Dim, keys: Dim, control: OnnxOperand, allowed: Value | null, causal: boolean): Value | null {
  const all = !allowed || (!control.kept("attended") && causal && sameDim(queries, keys));
  return all ? null : graph.op("ReduceMax", [graph.cast(allowed, "f32"), graph.ints([-1])], { keepdims: 1 });
}

interface Scores {
  readonly q: Value;
  readonly k: Value;
  readonly v: Value;
  /** Of the keys, before dropout; [batch, heads, queries, keys]. */
  readonly probabilities: Value;
  /** What dropout multiplies them with. */
  readonly keep: Value | null;
  readonly hasKeys: Value | null;
}

function softmaxScores(graph: OnnxGraph, [q, k, v, control, bias]: readonly OnnxOperand[], { scale, causal, dropout }: AttentionAttributes): Scores {
  const [batch, queries, heads] = q!.dims as [Dim, Dim, Dim];
  const keys = k!.dims[1]!;
  const [qHeads, kHeads, vHeads] = [swapHeads(graph, q!.value), keyHeads(graph, k!, heads), keyHeads(graph, v!, heads)];
  let scores = graph.matmul(qHeads, kHeads, { transposeB: true, alpha: scale, rank: 4 });
  if (bias) scores = graph.op("Add", [scores, bias.value]);
  const allowed = attended(graph, queries, keys, control!, causal);
  if (allowed) scores = graph.op("Add", [scores, additive(graph, allowed)]);
  const hasKeys = queriesWithKeys(graph, queries, keys, control!, allowed, causal);
  const keep = dropout ? onnxDropoutMask(graph, [batch, heads, queries, keys], dropout, control!.kept("dropoutKey")!) : null;
  return { q: qHeads, k: kHeads, v: vHeads, probabilities: graph.op("Softmax", [scores], { axis: -1 }), keep, hasKeys };
}

const times = (graph: OnnxGraph, x: Value, factor: Value | null) => (factor ? graph.op("Mul", [x, factor]) : x);

export function onnxAttention({ graph, inputs, outputs, attributes }: OnnxContext<AttentionAttributes>): Value[] {
  const inference = !outputs[1]!.wanted && !attributes.dropout;
  if (inference && graph.target === "onnxruntime" && inputs[1]!.dims[1] !== 0) return [fusedAttention(graph, inputs, attributes), ""];
  const { v, probabilities, keep, hasKeys } = softmaxScores(graph, inputs, attributes);
  const y = graph.op("MatMul", [times(graph, probabilities, keep), v]);
  // The log-sum-exp is for the gradient, which finds the probabilities instead.
  return [swapHeads(graph, times(graph, y, hasKeys)), ""];
}

/** ONNX's own operator, on heads side by side as the projections leave them. */
function fusedAttention(graph: OnnxGraph, [q, k, v, control, bias]: readonly OnnxOperand[], { scale, causal }: AttentionAttributes): Value {
  const [batch, queries, heads, headDim] = q!.dims as [Dim, Dim, number, number];
  const [, keys, ownHeads] = k!.dims as [Dim, Dim, number];
  const flat = (x: OnnxOperand) => graph.reshape(x.value, [x.dims[0]!, x.dims[1]!, (x.dims[2] as number) * headDim], x.dims);
  const allowed = attended(graph, queries, keys, control!, causal);
  let mask = allowed ?? "";
  // A mask of one length for all queries is refused.
  if (bias) mask = allowed ? graph.op("Add", [bias.value, additive(graph, allowed)]) : bias.value;
  else if (allowed && !causal) mask = graph.op("Expand", [allowed, graph.extents([batch, 1, queries, keys])]);
  const y = graph.op("Attention", [flat(q!), flat(k!), flat(v!), mask], { q_num_heads: heads, kv_num_heads: ownHeads, scale: float(scale) });
  const hasKeys = queriesWithKeys(graph, queries, keys, control!, allowed, causal);
  // [batch, 1, queries or 1, 1] → [batch, queries or 1, 1]; of causal order alone it is [queries, 1].
  const shown = hasKeys && control!.kept("attended") ? graph.op("Squeeze", [hasKeys, graph.ints([1])]) : hasKeys;
  return graph.reshape(times(graph, y, shown), q!.dims, [batch, queries, heads * headDim]);
}

/** Equal nodes are one node in a graph, so the probabilities asked for here are those of the forward pass. */
export function onnxAttentionGradient({ graph, inputs: [q, k, v, control, y, , dy, bias], attributes }: OnnxContext<AttentionAttributes>): Value[] {
  const forward = softmaxScores(graph, [q!, k!, v!, control!, ...(bias ? [bias] : [])], attributes);
  const { probabilities, keep } = forward;
  const g = times(graph, swapHeads(graph, dy!.value), forward.hasKeys);
  const dProbabilities = times(graph, graph.matmul(g, forward.v, { transposeB: true }), keep);
  // Σ P·dP over the keys of a query is Σ y·dy over its features (Dao et al. 2022, appendix B.4).
  const delta = graph.op("ReduceSum", [graph.op("Mul", [g, swapHeads(graph, y!.value)]), graph.ints([-1])], { keepdims: 1 });
  const dScores = graph.op("Mul", [probabilities, graph.op("Sub", [dProbabilities, delta])]);
  const alpha = attributes.scale;
  const dq = graph.matmul(dScores, forward.k, { alpha });
  const dk = graph.matmul(dScores, forward.q, { transposeA: true, alpha });
  const dv = graph.matmul(times(graph, probabilities, keep), g, { transposeA: true });
  const heads = (x: Value, like: OnnxOperand) => sumGroups(graph, swapHeads(graph, x), like, q!.dims[2]!);
  return [swapHeads(graph, dq), heads(dk, k!), heads(dv, v!), ...(bias ? [sumBias(graph, dScores, bias, q!.dims)] : [])];
}

/** Adds up the query heads that share one head of k or v. */
function sumGroups(graph: OnnxGraph, x: Value, { dims }: OnnxOperand, heads: Dim): Value {
  const [batch, length, own, headDim] = dims as [Dim, Dim, number, Dim];
  if (own === heads) return x;
  const grouped = graph.reshape(x, [batch, length, own, (heads as number) / own, headDim]);
  return graph.op("ReduceSum", [grouped, graph.ints([3])], { keepdims: 0 });
}

/** Adds up the batches and heads that share one bias. */
function sumBias(graph: OnnxGraph, dScores: Value, bias: OnnxOperand, [batch, , heads]: readonly Dim[]): Value {
  const shared = [batch!, heads!].map((extent, axis) => (bias.dims[axis] === 1 && extent !== 1 ? axis : -1)).filter((axis) => axis >= 0);
  return shared.length > 0 ? graph.op("ReduceSum", [dScores, graph.ints(shared)], { keepdims: 1 }) : dScores;
}
