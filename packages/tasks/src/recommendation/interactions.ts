/** Who touched what, in time order, with the ids' own strings. */
export interface Interactions {
  readonly userIds: readonly string[];
  readonly itemIds: readonly string[];
  /** Per user: indices into itemIds, oldest first. */
  readonly histories: readonly Int32Array[];
  /** Per user: milliseconds since 1970, beside histories; absent where the file has only an order. */
  readonly times?: readonly Float64Array[];
}
