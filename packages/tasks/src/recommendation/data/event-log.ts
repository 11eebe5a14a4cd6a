/** Events as a file has them: in its order, with ids numbered as they come. */
export interface EventLog {
  readonly userIds: readonly string[];
  readonly itemIds: readonly string[];
  /** [events], indices into userIds and itemIds. */
  readonly users: Int32Array;
  readonly items: Int32Array;
  /** [events], milliseconds since 1970; absent where the file's order is all there is. */
  readonly times?: Float64Array;
}

/** Collects events one by one. */
export class EventLogBuilder {
  private readonly userNumbers = new Map<string, number>();
  private readonly itemNumbers = new Map<string, number>();
  private readonly users: number[] = [];
  private readonly items: number[] = [];

  get numEvents(): number {
    return this.users.length;
  }

  add(userId: string, itemId: string): void {
    this.users.push(numberOf(this.userNumbers, userId));
    this.items.push(numberOf(this.itemNumbers, itemId));
  }

  /** @param times one for each event added, or none at all */
  build(times?: Float64Array): EventLog {
    return {
      userIds: [...this.userNumbers.keys()],
      itemIds: [...this.itemNumbers.keys()],
      users: Int32Array.from(this.users),
      items: Int32Array.from(this.items),
      ...(times && { times }),
    };
  }
}

function numberOf(numbers: Map<string, number>, id: string): number {
  let number = numbers.get(id);
  if (number === undefined) numbers.set(id, (number = numbers.size));
  return number;
}
