import type { OnnxContext, OnnxOperand } from "../../onnx/context.ts";
import { sameDim, type Dim } from "../../onnx/dims.ts";
import { float, type OnnxGraph, type Value } from "../../onnx/graph.ts";
import { onnxDropoutMask } from "../dropout/random.onnx.ts";
import { onnxPositions, onnxRotate } from "../rotary/op.onnx.ts";
import type { AttentionKeysAttributes } from "./keys.ts";
import type { AttentionAttributes } from "./op.ts";
import { operandsOf, type Part } from "./operands.ts";

/** The smallest f32, added to the score of a key that is not attended to: whatever the key holds vanishes in the sum. */
const MASKED = -3.4028234663852886e38;

/** Attention takes the mask, the key and the lengths as they are: [batch, 1, 1, keys], [], [batch, 1, 1, 1]. */
export function onnxAttentionKeys({ graph, inputs, attributes: { mask, dropout, lengths }, dim, keep }: OnnxContext<AttentionKeysAttributes>): Value[] {
  const present: Value[] = [];
  if (mask) present.push(graph.op("Unsqueeze", [graph.cast(inputs[0]!.value, "bool"), graph.ints([1, 2])]));
  if (lengths) {
    const each = graph.op("Min", [graph.cast(inputs.at(-1)!.value, "i64"), graph.scalarExtent(dim("keys"))]);
    const apart = graph.op("Unsqueeze", [each, graph.ints([1, 2, 3])]);
    keep("lengths", apart);
    present.push(graph.op("Less", [steps(graph, dim("keys")), apart]));
  }
  if (present.length > 0) keep("attended", present.reduce((a, b) => graph.op("And", [a, b])));
  if (dropout) keep("dropoutKey", inputs[mask ? 1 : 0]!.value);
  return [""];
}

/** 0, 1, … below an extent. */
const steps = (graph: OnnxGraph, extent: Dim) => graph.op("Range", [graph.scalarExtent(0), graph.scalarExtent(extent), graph.scalarExtent(1)]);

/** [batch, length, heads, headDim] ↔ [batch, heads, length, headDim]. */
const swapHeads = (graph: OnnxGraph, x: Value) => graph.op("Transpose", [x], { perm: [0, 2, 1, 3] });

/** One of q, k and v, or of what is like them: [batch, length, heads, headDim]. */
interface Heads {
  readonly value: Value;
  readonly dims: readonly [Dim, Dim, number, number];
}

interface Problem {
  readonly q: Heads;
  readonly k: Heads;
  readonly v: Heads;
  readonly keys: OnnxOperand | undefined;
  readonly bias: OnnxOperand | undefined;
  readonly table: OnnxOperand | undefined;
}

function problemOf(graph: OnnxGraph, inputs: readonly OnnxOperand[], attributes: AttentionAttributes): Problem {
  const { joined, heads, keyHeads, parts, keys, bias, rotary } = attributes;
  const { q, k, v, rest } = operandsOf(attributes, inputs);
  const problem: Problem = {
    q: joined === "qkv" ? cutOut(graph, q, parts.q, heads, attributes) : (q as OnnxOperand & Heads),
    k: joined === "none" ? (k as OnnxOperand & Heads) : cutOut(graph, k, parts.k, keyHeads, attributes),
    v: joined === "none" ? (v as OnnxOperand & Heads) : cutOut(graph, v, parts.v, keyHeads, attributes),
    keys: keys ? rest[0] : undefined,
    bias: bias ? rest.at(-1) : undefined,
    table: rotary ? rest.at(-1) : undefined,
  };
  if (!rotary) return problem;
  const turned = turn(graph, problem, { q: problem.q.value, k: problem.k.value }, rotary, false);
  return { ...problem, q: { ...problem.q, value: turned.q }, k: { ...problem.k, value: turned.k } };
}

/** Rotary embedding of what is like q and k, or back. */
function turn(graph: OnnxGraph, { q, k, keys, table }: Problem, values: { q: Value; k: Value }, { interleaved, keys: turnsKeys }: NonNullable<AttentionAttributes["rotary"]>, inverse: boolean): { q: Value; k: Value } {
  const lengths = keys?.kept("lengths");
  const [positions, dims] = table!.dims as [number, number];
  const rotation = { table: table!.value, positions, dims, interleaved, inverse };
  const begin = graph.op("Sub", [graph.scalarExtent(k.dims[1]), graph.scalarExtent(q.dims[1])]);
  const ofQueries = onnxPositions(graph, q.dims[1], begin, lengths && graph.op("Reshape", [lengths, graph.ints([-1])]));
  return {
    q: onnxRotate(graph, values.q, q.dims, ofQueries, rotation),
    k: turnsKeys ? onnxRotate(graph, values.k, k.dims, onnxPositions(graph, k.dims[1], graph.scalarExtent(0)), rotation) : values.k,
  };
}

/** Parts of all heads lie one after the other, parts of each head side by side within it. */
const perHead = ({ step }: Part, headDim: number) => step !== headDim;

function cutOut(graph: OnnxGraph, { value, dims: [batch, length] }: OnnxOperand, part: Part, heads: number, { headDim }: AttentionAttributes): Heads {
  const dims = [batch!, length!, heads, headDim] as const;
  const slice = (x: Value, size: number, axis: number) => graph.op("Slice", [x, graph.ints([part.offset]), graph.ints([part.offset + size]), graph.ints([axis])]);
  if (perHead(part, headDim)) return { value: slice(graph.reshape(value, [batch!, length!, heads, part.step]), headDim, 3), dims };
  return { value: graph.reshape(slice(value, heads * headDim, 2), dims), dims };
}

/** Gradients of parts as the gradient of what they are parts of. */
function join(graph: OnnxGraph, gradients: readonly { readonly part: Part; readonly heads: Heads }[], { headDim }: AttentionAttributes): Value {
  const sorted = gradients.toSorted((a, b) => a.part.offset - b.part.offset);
  const { part, heads } = sorted[0]!;
  const [batch, length] = heads.dims;
  const apart = perHead(part, headDim);
  const values = sorted.map(({ heads: { value, dims } }) => (apart ? value : graph.reshape(value, [batch, length, dims[2] * headDim])));
  const joined = graph.op("Concat", values, { axis: apart ? 3 : 2 });
  return apart ? graph.reshape(joined, [batch, length, part.row]) : joined;
}

/** Heads of k or v as many as q has: [batch, heads, length, headDim]. */
function keyHeads(graph: OnnxGraph, { value, dims: [batch, length, own, headDim] }: Heads, heads: number): Value {
  if (own === heads) return swapHeads(graph, value);
  const groups = heads / own;
  const repeated = graph.op("Expand", [graph.op("Unsqueeze", [value, graph.ints([3])]), graph.extents([batch, length, own, groups, headDim])]);
  return swapHeads(graph, graph.reshape(repeated, [batch, length, heads, headDim]));
}

/** Which keys each query attends to, as a Boolean that broadcasts to [batch, heads, queries, keys]; null for all. */
function attended(graph: OnnxGraph, { q, k, keys }: Problem, { reach }: AttentionAttributes): Value | null {
  const conditions = [keys?.kept("attended") ?? []].flat();
  const [queries, length] = [q.dims[1], k.dims[1]];
  const lengths = keys?.kept("lengths");
  // The key at each query's own place, shifted to the last or first that it sees: [queries, 1], or [batch, 1, queries, 1].
  const limit = (by: number) => {
    const shift = graph.op("Sub", [lengths ?? graph.scalarExtent(length), graph.scalarExtent(queries)]);
    const own = graph.op("Add", [graph.op("Unsqueeze", [steps(graph, queries), graph.ints([1])]), shift]);
    return by === 0 ? own : graph.op("Add", [own, graph.scalarExtent(by)]);
  };
  if (reach.after !== null) conditions.push(graph.op("LessOrEqual", [steps(graph, length), limit(reach.after)]));
  if (reach.before !== null) conditions.push(graph.op("GreaterOrEqual", [steps(graph, length), limit(-reach.before)]));
  return conditions.length === 0 ? null : conditions.reduce((a, b) => graph.op("And", [a, b]));
}

const additive = (graph: OnnxGraph, allowed: Value) => graph.op("Where", [allowed, graph.float(0), graph.float(MASKED)]);

/** 1 for a query with any key, 0 for one without, broadcasting like `allowed`; null where all have one. */
function queriesWithKeys(graph: OnnxGraph, { q, k, keys }: Problem, allowed: Value | null): Value | null {
  // Of as many queries as keys, each sees the key at its own place at the least.
  const all = !allowed || (!keys?.kept("attended") && sameDim(q.dims[1], k.dims[1]));
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
  /** The derivative of the soft cap. */
  readonly slopes: Value | null;
  readonly hasKeys: Value | null;
}

function softmaxScores(graph: OnnxGraph, problem: Problem, attributes: AttentionAttributes): Scores {
  const { heads, scale, softCap, dropout } = attributes;
  const { q, k, v, keys, bias } = problem;
  const [qHeads, kHeads, vHeads] = [swapHeads(graph, q.value), keyHeads(graph, k, heads), keyHeads(graph, v, heads)];
  const products = graph.matmul(qHeads, kHeads, { transposeB: true, alpha: softCap === null ? scale : scale / softCap, rank: 4 });
  const tanh = softCap === null ? null : graph.op("Tanh", [products]);
  let scores = tanh ? graph.op("Mul", [tanh, graph.float(softCap!)]) : products;
  if (bias) scores = graph.op("Add", [scores, bias.value]);
  const allowed = attended(graph, problem, attributes);
  if (allowed) scores = graph.op("Add", [scores, additive(graph, allowed)]);
  const hasKeys = queriesWithKeys(graph, problem, allowed);
  const keep = dropout ? onnxDropoutMask(graph, [q.dims[0], heads, q.dims[1], k.dims[1]], dropout, keys!.kept("dropoutKey")!) : null;
  const slopes = tanh && graph.op("Sub", [graph.float(1), graph.op("Mul", [tanh, tanh])]);
  return { q: qHeads, k: kHeads, v: vHeads, probabilities: graph.op("Softmax", [scores], { axis: -1 }), keep, slopes, hasKeys };
}

const times = (graph: OnnxGraph, x: Value, factor: Value | null) => (factor ? graph.op("Mul", [x, factor]) : x);

export function onnxAttention({ graph, inputs, outputs, attributes }: OnnxContext<AttentionAttributes>): Value[] {
  const problem = problemOf(graph, inputs, attributes);
  const inference = !outputs[1]!.wanted && !attributes.dropout;
  // onnxruntime caps scores after masking.
  if (inference && attributes.softCap === null && graph.target === "onnxruntime" && problem.k.dims[1] !== 0) return [fusedAttention(graph, problem, attributes), ""];
  const { v, probabilities, keep, hasKeys } = softmaxScores(graph, problem, attributes);
  const y = graph.op("MatMul", [times(graph, probabilities, keep), v]);
  // The log-sum-exp is for the gradient, which finds the probabilities instead.
  return [swapHeads(graph, times(graph, y, hasKeys)), ""];
}

/** ONNX's own operator, on heads side by side as the projections leave them. */
function fusedAttention(graph: OnnxGraph, problem: Problem, attributes: AttentionAttributes): Value {
  const { q, k, v, keys, bias } = problem;
  const [batch, queries, heads, headDim] = q.dims;
  const flat = ({ value, dims }: Heads) => graph.reshape(value, [dims[0], dims[1], dims[2] * headDim], dims);
  const allowed = attended(graph, problem, attributes);
  const perQuery = attributes.reach.before !== null || attributes.reach.after !== null;
  let mask = allowed ?? "";
  // A mask of one length for all queries is refused.
  if (bias) mask = allowed ? graph.op("Add", [bias.value, additive(graph, allowed)]) : bias.value;
  else if (allowed && !perQuery) mask = graph.op("Expand", [allowed, graph.extents([batch, 1, queries, k.dims[1]])]);
  const y = graph.op("Attention", [flat(q), flat(k), flat(v), mask], { q_num_heads: heads, kv_num_heads: k.dims[2], scale: float(attributes.scale) });
  const hasKeys = queriesWithKeys(graph, problem, allowed);
  // [batch, 1, queries or 1, 1] → [batch, queries or 1, 1]; of reach alone it is [queries, 1].
  const shown = hasKeys && keys?.kept("attended") ? graph.op("Squeeze", [hasKeys, graph.ints([1])]) : hasKeys;
  return graph.reshape(times(graph, y, shown), q.dims, [batch, queries, heads * headDim]);
}

/** Equal nodes are one node in a graph, so the probabilities asked for here are those of the forward pass. */
export function onnxAttentionGradient({ graph, inputs: [y, , dy, ...inputs], outputs, attributes }: OnnxContext<AttentionAttributes>): Value[] {
  const problem = problemOf(graph, inputs, attributes);
  // onnxruntime refuses products of empty matrices that it should transpose.
  if ([...problem.q.dims, ...problem.k.dims].includes(0)) return outputs.map(({ dims }) => graph.op("Expand", [graph.float(0), graph.extents(dims)]));
  const forward = softmaxScores(graph, problem, attributes);
  const { probabilities, keep } = forward;
  const g = times(graph, swapHeads(graph, dy!.value), forward.hasKeys);
  const dProbabilities = times(graph, graph.matmul(g, forward.v, { transposeB: true }), keep);
  // Σ P·dP over the keys of a query is Σ y·dy over its features (Dao et al. 2022, appendix B.4).
  const delta = graph.op("ReduceSum", [graph.op("Mul", [g, swapHeads(graph, y!.value)]), graph.ints([-1])], { keepdims: 1 });
  const dScores = graph.op("Mul", [probabilities, graph.op("Sub", [dProbabilities, delta])]);
  const dProducts = times(graph, dScores, forward.slopes);
  const alpha = attributes.scale;
  const gradient = (x: Value, like: Heads) => sumGroups(graph, swapHeads(graph, x), like, attributes.heads);
  const whole = {
    q: gradient(graph.matmul(dProducts, forward.k, { alpha }), problem.q),
    k: gradient(graph.matmul(dProducts, forward.q, { transposeA: true, alpha }), problem.k),
  };
  const { q, k } = attributes.rotary ? turn(graph, problem, whole, attributes.rotary, true) : whole;
  const part = (name: "q" | "k" | "v", value: Value) => ({ part: attributes.parts[name], heads: { value, dims: problem[name].dims } });
  const [dq, dk] = [part("q", q), part("k", k)];
  const dv = part("v", gradient(graph.matmul(times(graph, probabilities, keep), g, { transposeA: true }), problem.v));
  const gradients = {
    none: () => [dq, dk, dv].map(({ heads }) => heads.value),
    kv: () => [dq.heads.value, join(graph, [dk, dv], attributes)],
    qkv: () => [join(graph, [dq, dk, dv], attributes)],
  }[attributes.joined]();
  return [...gradients, ...(problem.bias ? [sumBias(graph, dScores, problem.bias, problem.q.dims)] : [])];
}

/** Adds up the query heads that share one head of k or v. */
function sumGroups(graph: OnnxGraph, x: Value, { dims: [batch, length, own, headDim] }: Heads, heads: number): Value {
  if (own === heads) return x;
  const grouped = graph.reshape(x, [batch, length, own, heads / own, headDim]);
  return graph.op("ReduceSum", [grouped, graph.ints([3])], { keepdims: 0 });
}

/** Adds up the batches and heads that share one bias. */
function sumBias(graph: OnnxGraph, dScores: Value, bias: OnnxOperand, [batch, , heads]: readonly Dim[]): Value {
  const shared = [batch!, heads!].map((extent, axis) => (bias.dims[axis] === 1 && extent !== 1 ? axis : -1)).filter((axis) => axis >= 0);
  return shared.length > 0 ? graph.op("ReduceSum", [dScores, graph.ints(shared)], { keepdims: 1 }) : dScores;
}
