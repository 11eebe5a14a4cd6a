import type { OnnxContext } from "../../onnx/context.ts";
import type { OnnxGraph, Value } from "../../onnx/graph.ts";
import type { TopKAttributes } from "./op.ts";

/** From so many candidates for each wanted, and so many at all, two small searches are less than one large. */
const MIN_CANDIDATES_PER_WANTED = 64;
const MIN_CANDIDATES = 2 ** 15;

export function onnxTopK({ graph, inputs: [x], attributes: { k } }: OnnxContext<TopKAttributes>): Value[] {
  const dims = x!.dims;
  const fixed = dims.filter((extent) => typeof extent === "number");
  const candidates = fixed.at(-1) ?? 0;
  const isLarge = fixed.length === dims.length && candidates >= Math.max(MIN_CANDIDATES, MIN_CANDIDATES_PER_WANTED * k);
  const [values, indices] = isLarge ? throughBlocks(graph, x!.value, fixed, k) : largest(graph, x!.value, k);
  return [values, graph.cast(indices, "i32")];
}

function largest(graph: OnnxGraph, x: Value, k: number): readonly [values: Value, indices: Value] {
  return graph.node("", "TopK", [x, graph.ints([k])], { axis: -1, largest: 1, sorted: 1 }, 2) as [Value, Value];
}

/**
 * onnxruntime searches a row by one thread, a heap of k beside it. So the row is cut into blocks: the k largest are among the k
 * blocks whose largest elements are the largest, of equal ones the first, and only those are searched.
 */
function throughBlocks(graph: OnnxGraph, x: Value, dims: readonly number[], k: number): readonly [values: Value, indices: Value] {
  const candidates = dims.at(-1)!;
  const rows = dims.slice(0, -1).reduce((product, extent) => product * extent, 1);
  // As many blocks as candidates in the blocks that are searched.
  const width = 2 ** Math.round(Math.log2(Math.sqrt(candidates / k)));
  const blocks = Math.ceil(candidates / width);
  const missing = blocks * width - candidates;
  const flat = graph.reshape(x, [rows, candidates]);
  const filled = missing === 0 ? flat : graph.op("Concat", [flat, graph.constant("f32", [rows, missing], new Float32Array(rows * missing).fill(-Infinity))], { axis: 1 });
  const cut = graph.reshape(filled, [rows, blocks, width]);
  const [, best] = largest(graph, graph.op("ReduceMax", [cut, graph.ints([2])], { keepdims: 0 }), k);
  // In the order in which they stand, so that of equal elements the first stays first.
  const chosen = graph.node("", "TopK", [best, graph.ints([k])], { axis: -1, largest: 0, sorted: 1 }, 2)[0]!;
  const searched = graph.op("GatherND", [cut, graph.reshape(chosen, [rows, k, 1])], { batch_dims: 1 });
  const [values, places] = largest(graph, graph.reshape(searched, [rows, k * width]), k);
  const blockWidth = graph.ints([width]);
  const block = graph.op("GatherElements", [chosen, graph.op("Div", [places, blockWidth])], { axis: 1 });
  const indices = graph.op("Add", [graph.op("Mul", [block, blockWidth]), graph.op("Mod", [places, blockWidth])]);
  const shape = [...dims.slice(0, -1), k];
  return [graph.reshape(values, shape), graph.reshape(indices, shape)];
}
