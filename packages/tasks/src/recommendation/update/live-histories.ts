/** One user's history with room to grow. */
interface Grown {
  items: Int32Array;
  length: number;
  /** The first so many may be learnt again: known from the start, or learnt in a round that was accepted. */
  trusted: number;
  lastTime: number;
  /** The newest events that came while it grew, with their times, newest last. */
  readonly newest: { readonly item: number; readonly time: number | undefined }[];
}

/** How far back an event that was delivered twice is recognised. */
const REMEMBERED = 64;

/** Histories that grow while they are read. Reading and adding take the same time however long they are. */
export class LiveHistories {
  private readonly grown = new Map<string, Grown>();

  constructor(private readonly known: ReadonlyMap<string, Int32Array>) {}

  /** Numbers of items, oldest first; undefined for a user of whom nothing is known. Good until the user's next event. */
  get(userId: string): Int32Array | undefined {
    const own = this.grown.get(userId);
    return own ? own.items.subarray(0, own.length) : this.known.get(userId);
  }

  /** Whether the user's history was there from the start. */
  isKnown(userId: string): boolean {
    return this.known.has(userId);
  }

  /** -Infinity where no event of this user came with a time. */
  lastTime(userId: string): number {
    return this.grown.get(userId)?.lastTime ?? -Infinity;
  }

  /** Whether the event is there already: with its time among the newest that came, or without times as the last one. */
  repeats(userId: string, item: number, time: number | undefined): boolean {
    if (time === undefined) return this.get(userId)?.at(-1) === item;
    return this.grown.get(userId)?.newest.some((event) => event.item === item && event.time === time) ?? false;
  }

  /** @returns the event's place in the history */
  add(userId: string, item: number, time: number | undefined): number {
    let own = this.grown.get(userId);
    if (!own) {
      const items = this.known.get(userId) ?? new Int32Array();
      own = { items: grow(items), length: items.length, trusted: items.length, lastTime: -Infinity, newest: [] };
      this.grown.set(userId, own);
    } else if (own.length === own.items.length) own.items = grow(own.items);
    own.items[own.length] = item;
    if (time !== undefined) own.lastTime = Math.max(own.lastTime, time);
    own.newest.push({ item, time });
    if (own.newest.length > REMEMBERED) own.newest.shift();
    return own.length++;
  }

  /** Says that all of a user's events so far may be learnt again. */
  trust(userId: string): void {
    const own = this.grown.get(userId);
    if (own) own.trusted = own.length;
  }

  /** The histories that may be learnt again, each as far as it may be. */
  *trusted(): Generator<readonly [userId: string, history: Int32Array]> {
    for (const [userId, history] of this.known) if (!this.grown.has(userId)) yield [userId, history];
    for (const [userId, { items, trusted }] of this.grown) yield [userId, items.subarray(0, trusted)];
  }

  /** Histories as they were at the start. */
  get atStart(): ReadonlyMap<string, Int32Array> {
    return this.known;
  }
}

function grow(items: Int32Array): Int32Array {
  const larger = new Int32Array(Math.max(8, items.length * 2));
  larger.set(items);
  return larger;
}
