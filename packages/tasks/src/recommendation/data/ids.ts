const WHOLE_NUMBER = /^(?:0|[1-9]\d{0,14})$/;

/**
 * The order of a catalogue and of its users: as numbers where every id is a whole number, else by code units. It does not
 * hang on the order of the file, so neither does what is broken by it, such as ties between scores.
 *
 * @returns the numbers of `ids` in order
 */
export function orderOfIds(ids: readonly string[]): Int32Array {
  const order = Int32Array.from(ids, (_, i) => i);
  if (ids.every((id) => WHOLE_NUMBER.test(id))) {
    const numbers = Float64Array.from(ids, Number);
    return order.sort((a, b) => numbers[a]! - numbers[b]!);
  }
  return order.sort((a, b) => (ids[a]! < ids[b]! ? -1 : 1));
}
