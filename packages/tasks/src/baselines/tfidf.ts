/** Sparse rows, one after another: row r has entries `starts[r]` to `starts[r + 1]` of `indices` and `values`. */
export interface SparseRows {
  readonly numRows: number;
  readonly numColumns: number;
  readonly starts: Int32Array;
  readonly indices: Int32Array;
  readonly values: Float64Array;
}

export interface Tfidf {
  readonly vocabulary: ReadonlyMap<string, number>;
  readonly idf: Float64Array;
}

/** The formula of scikit-learn's TfidfVectorizer with its smoothing: idf = ln((1 + n) / (1 + df)) + 1. */
export function fitTfidf(documents: readonly (readonly string[])[]): Tfidf {
  const documentFrequency = new Map<string, number>();
  for (const features of documents) for (const feature of new Set(features)) documentFrequency.set(feature, (documentFrequency.get(feature) ?? 0) + 1);
  const idf = Float64Array.from(documentFrequency.values(), (frequency) => Math.log((1 + documents.length) / (1 + frequency)) + 1);
  return { vocabulary: new Map([...documentFrequency.keys()].map((feature, column) => [feature, column])), idf };
}

/** (1 + ln tf) · idf, each row scaled to length 1 (`sublinear_tf=True, norm="l2"`). Unknown features are left out. */
export function tfidfRows({ vocabulary, idf }: Tfidf, documents: readonly (readonly string[])[]): SparseRows {
  const starts = new Int32Array(documents.length + 1);
  const indices: number[] = [];
  const values: number[] = [];
  documents.forEach((features, row) => {
    const counts = new Map<number, number>();
    for (const feature of features) {
      const column = vocabulary.get(feature);
      if (column !== undefined) counts.set(column, (counts.get(column) ?? 0) + 1);
    }
    let squares = 0;
    const begin = values.length;
    for (const [column, count] of counts) {
      const value = (1 + Math.log(count)) * idf[column]!;
      squares += value * value;
      indices.push(column);
      values.push(value);
    }
    const length = Math.sqrt(squares);
    for (let i = begin; i < values.length; i++) values[i]! /= length;
    starts[row + 1] = values.length;
  });
  return { numRows: documents.length, numColumns: idf.length, starts, indices: Int32Array.from(indices), values: Float64Array.from(values) };
}
