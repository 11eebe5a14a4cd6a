import { add, asTensor, broadcastTo, embedding, matmul, reshape, slice, transpose, type HostTensor, type Tensor } from "@heddle/kernels";

// What DeBERTa's scores have beside those of contents (He et al. 2020, arXiv:2006.03654, equation 4): products of one token's
// content with the learned place of the other, which is how far the two are apart.

/** Which distances share an embedding. */
export interface DistanceOptions {
  /** Embeddings each way: the table has twice as many. */
  readonly span: number;
  /** Below 1: all distances exactly. */
  readonly buckets: number;
  readonly maxDistance: number;
}

/** The table's row for each distance of query − key: from `length` down to 1 − length, and from −length up to length − 1. */
export interface DistanceRows {
  readonly falling: Tensor;
  readonly rising: Tensor;
}

/** @param known distances that host tables are made for; one program then serves every length up to it */
export function distanceRows(length: number, known: number, options: DistanceOptions): DistanceRows {
  const reach = Math.max(length, known);
  const rows = (distanceAt: (i: number) => number): Tensor => {
    const table: HostTensor = { shape: [2 * reach], data: Int32Array.from({ length: 2 * reach }, (_, i) => rowOf(distanceAt(i), options)) };
    return slice(asTensor(table), { axis: 0, begin: reach - length, end: reach + length });
  };
  return { falling: rows((i) => reach - i), rising: rows((i) => i - reach) };
}

function rowOf(distance: number, { span, buckets, maxDistance }: DistanceOptions): number {
  const bucket = buckets > 0 ? logBucket(distance, buckets, maxDistance) : distance;
  return Math.min(Math.max(bucket + span, 0), 2 * span - 1);
}

/** To the last bit what transformers works out in f32. */
export function logBucket(distance: number, buckets: number, maxDistance: number): number {
  const f32 = Math.fround;
  const middle = Math.floor(buckets / 2);
  const far = Math.abs(distance);
  if (far <= middle) return distance;
  const share = f32(f32(Math.log(f32(far / middle))) / f32(Math.log(f32((maxDistance - 1) / middle))));
  return Math.sign(distance) * (Math.ceil(f32(share * (middle - 1))) + middle);
}

interface Contents {
  /** [batch, length, heads, headDim]. */
  readonly queries: Tensor;
  readonly keys: Tensor;
}

interface Places {
  /** Keys' places, to be seen by queries, and queries' places: [embeddings, heads, headDim], scaled as the scores are. */
  readonly ofKeys: Tensor | undefined;
  readonly ofQueries: Tensor | undefined;
}

/** Bytes of the largest tensor on the way: what WebGPU binds at once by default. */
const MOST_BYTES = 2 ** 27;

/** Texts whose bias is made in so little memory: with 12 heads and 512 tokens 5 of them, whose bias is 60 MiB then. */
export const textsAtOnce = (heads: number, length: number): number => Math.max(1, Math.floor(MOST_BYTES / (4 * heads * length * 2 * length)));

/** Bias of the scores, [batch, heads, length, length]; undefined without places. Each term passes through a tensor of twice that size. */
export function disentangledBias({ queries, keys }: Contents, { ofKeys, ofQueries }: Places, { falling, rising }: DistanceRows): Tensor | undefined {
  const [batch] = queries.shape as [number];
  const ofContent = ofKeys && byDistance(matmul(byHead(queries), placesOf(ofKeys, falling, batch), { transposeB: true }));
  const ofPlace = ofQueries && transpose(byDistance(matmul(byHead(keys), placesOf(ofQueries, rising, batch), { transposeB: true })), [0, 1, 3, 2]);
  return ofContent && ofPlace ? add(ofContent, ofPlace) : (ofContent ?? ofPlace);
}

const byHead = (content: Tensor): Tensor => transpose(content, [0, 2, 1, 3]);

/** [embeddings, heads, headDim] → [batch, heads, distances, headDim], the same for each text. */
function placesOf(table: Tensor, rows: Tensor, batch: number): Tensor {
  const [count, heads, headDim] = table.shape as [number, number, number];
  const [distances] = rows.shape as [number];
  const places = transpose(reshape(embedding(reshape(table, [count, heads * headDim]), rows), [distances, heads, headDim]), [1, 0, 2]);
  return broadcastTo(places, [batch, heads, distances, headDim]);
}

/**
 * Row i of x [batch, heads, length, 2 · length] from column length − i on: [batch, heads, length, length]. Rows that are read one
 * number too narrow begin one later each (Dai et al. 2019, arXiv:1901.02860, appendix B), which moves numbers in order, both ways.
 */
function byDistance(x: Tensor): Tensor {
  const [batch, heads, length, wide] = x.shape as [number, number, number, number];
  const late = slice(reshape(x, [batch, heads, wide, length]), { axis: 2, begin: 1 });
  return slice(reshape(late, [batch, heads, length, wide - 1]), { axis: 3, end: length });
}
