import type { OnnxContext } from "../../onnx/context.ts";
import type { Dim } from "../../onnx/dims.ts";
import type { Value } from "../../onnx/graph.ts";
import { onnxPositions, onnxRotate } from "../rotary/op.onnx.ts";
import type { ExtendCacheAttributes } from "./op.ts";

/**
 * Each place of the cache takes its new token where there is one: Where(new, token, cache). A scatter would refuse the places
 * of padding.
 */
export function onnxExtendCache({ graph, inputs: [keyCache, valueCache, k, v, lengths, table], attributes: { rotary } }: OnnxContext<ExtendCacheAttributes>): Value[] {
  const [, capacity] = keyCache!.dims;
  const added = k!.dims[1]!;
  const ends = graph.op("Unsqueeze", [graph.cast(lengths!.value, "i64"), graph.ints([1])]);
  const places = graph.op("Range", [graph.scalarExtent(0), graph.scalarExtent(capacity!), graph.scalarExtent(1)]);
  // Of each place, the number of its new token: [batch, capacity].
  const token = graph.op("Add", [graph.op("Sub", [places, ends]), graph.scalarExtent(added)]);
  const exists = graph.op("And", [graph.op("GreaterOrEqual", [token, graph.scalarExtent(0)]), graph.op("Less", [token, graph.scalarExtent(added)])]);
  const isNew = graph.op("Unsqueeze", [exists, graph.ints([2, 3])]);
  const inside = graph.op("Max", [graph.op("Min", [token, graph.op("Sub", [graph.scalarExtent(added), graph.scalarExtent(1)])]), graph.scalarExtent(0)]);
  const index = graph.op("Unsqueeze", [inside, graph.ints([2])]);
  const newKeys = (): Value => {
    if (!rotary) return k!.value;
    const [positions, dims] = table!.dims as [number, number];
    return onnxRotate(graph, k!.value, k!.dims as [Dim, Dim, number, number], onnxPositions(graph, added, graph.scalarExtent(0), lengths!.value), { table: table!.value, positions, dims, interleaved: rotary.interleaved, inverse: false });
  };
  if (added === 0) return [keyCache!.value, valueCache!.value];
  return [[keyCache!, newKeys()] as const, [valueCache!, v!.value] as const].map(([cache, tokens]) => {
    const spread = added === 1 ? tokens : graph.op("GatherND", [tokens, index], { batch_dims: 1 });
    return graph.op("Where", [isNew, spread, cache.value]);
  });
}
