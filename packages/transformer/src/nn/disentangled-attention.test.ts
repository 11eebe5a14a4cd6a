import { compile, hostTensor, ReferenceDevice } from "@heddle/kernels";
import { expect, it } from "vitest";
import { disentangledBias, distanceRows, logBucket, textsAtOnce } from "./disentangled-attention.ts";

it("has DeBERTa's buckets", () => {
  // By transformers' make_log_bucket_position, 16 buckets up to a distance of 96, and 256 up to 512.
  expect([0, 7, 8, 9, 12, 20, 60, 95, 200].map((distance) => logBucket(distance, 16, 96))).toEqual([0, 7, 8, 9, 10, 11, 14, 15, 18]);
  expect([-1, -128, -129, -300, -511].map((distance) => logBucket(distance, 256, 512))).toEqual([-1, -128, -129, -207, -255]);
});

it("gives each pair of tokens what the one's content and the other's distance make", async () => {
  const [length, span, known] = [5, 3, 4];
  const options = { span, buckets: -1, maxDistance: span };
  const device = new ReferenceDevice();
  // One head of one number: contents 1 and 10 times their place, embeddings their own row.
  const contents = (factor: number) => hostTensor(Float32Array.from({ length }, (_, i) => factor * (i + 1)), [1, length, 1, 1]);
  const table = hostTensor(Float32Array.from({ length: 2 * span }, (_, row) => row), [2 * span, 1, 1]);
  using compiled = compile(device, "bias", ({ q, k, ofKeys, ofQueries }) => {
    const rows = distanceRows(length, known, options);
    const of = (places: object) => disentangledBias({ queries: q!, keys: k! }, { ofKeys: undefined, ofQueries: undefined, ...places }, rows)!;
    return { keys: of({ ofKeys }), queries: of({ ofQueries }), both: of({ ofKeys, ofQueries }) };
  });
  const { keys, queries, both } = await compiled.run({ q: contents(1), k: contents(10), ofKeys: table, ofQueries: table });
  const row = (query: number, key: number) => Math.min(Math.max(query - key + span, 0), 2 * span - 1);
  for (let query = 0; query < length; query++) {
    for (let key = 0; key < length; key++) {
      const [ofQuery, ofKey] = [(query + 1) * row(query, key), 10 * (key + 1) * row(query, key)];
      expect([keys, queries, both].map((bias) => bias!.data[query * length + key])).toEqual([ofQuery, ofKey, ofQuery + ofKey]);
    }
  }
});

it("takes as many texts at once as fit", () => {
  expect([textsAtOnce(12, 512), textsAtOnce(16, 512), textsAtOnce(12, 8192)]).toEqual([5, 4, 1]);
});
