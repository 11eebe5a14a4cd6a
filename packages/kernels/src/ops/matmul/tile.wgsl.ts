export const range = (count: number) => Array.from({ length: count }, (_, i) => i);

/** What every tiled kernel reads. */
export const MATMUL_PARAMS = {
  m: "u32",
  n: "u32",
  k: "u32",
  /** The part of k that one workgroup sums; k itself unless the sum is split. */
  chunk: "u32",
  tilesM: "u32",
  tilesN: "u32",
  batches: "u32",
  /** batches times the splits of k. */
  parts: "u32",
  /** Elements from one matrix to the next; 0 where one serves all. */
  strideA: "u32",
  strideB: "u32",
  strideBias: "u32",
  /** Elements of y from one part to the next. */
  strideY: "u32",
} as const;

/** Statements that tell a workgroup its tile: `tileM`, `tileN`, `part` (which split of which batch), `kBegin`, `kEnd`, and where its matrices begin. */
export const TILE_OF_WORKGROUP = `
  let id = workgroup.y * numWorkgroups.x + workgroup.x;
  let tileN = id % p.tilesN;
  let tileM = (id / p.tilesN) % p.tilesM;
  let part = id / (p.tilesN * p.tilesM);
  let split = part / p.batches;
  let startA = (part % p.batches) * p.strideA;
  let startB = (part % p.batches) * p.strideB;
  let startBias = (part % p.batches) * p.strideBias;
  let startY = part * p.strideY;
  let kBegin = split * p.chunk;
  let kEnd = min(kBegin + p.chunk, p.k);
  if (part >= p.parts) { return; }`;
