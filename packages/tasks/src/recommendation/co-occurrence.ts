/** Which users touched each item: a user of item `i` stands once between starts[i] and starts[i + 1], users ascending. */
export interface Buyers {
  /** [items + 1] */
  readonly starts: Int32Array;
  readonly users: Int32Array;
}

export function buyersOf(histories: readonly Int32Array[], numItems: number): Buyers {
  const starts = new Int32Array(numItems + 1);
  const last = new Int32Array(numItems).fill(-1);
  histories.forEach((history, user) => {
    for (const item of history) {
      if (last[item] === user) continue;
      last[item] = user;
      starts[item + 1]!++;
    }
  });
  for (let item = 0; item < numItems; item++) starts[item + 1]! += starts[item]!;
  const users = new Int32Array(starts[numItems]!);
  const next = starts.slice(0, numItems);
  last.fill(-1);
  histories.forEach((history, user) => {
    for (const item of history) {
      if (last[item] === user) continue;
      last[item] = user;
      users[next[item]!++] = user;
    }
  });
  return { starts, users };
}

/** Users of both items / √(users of one · users of the other); 0 for an item without users. */
export function cosine({ starts, users }: Buyers, a: number, b: number): number {
  let [i, j] = [starts[a]!, starts[b]!];
  const [endOfA, endOfB] = [starts[a + 1]!, starts[b + 1]!];
  const size = Math.sqrt((endOfA - i) * (endOfB - j));
  let shared = 0;
  while (i < endOfA && j < endOfB) {
    const [left, right] = [users[i]!, users[j]!];
    if (left === right) shared++;
    if (left <= right) i++;
    if (right <= left) j++;
  }
  return size === 0 ? 0 : shared / size;
}
