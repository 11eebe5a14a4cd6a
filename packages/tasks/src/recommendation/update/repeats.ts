import type { CheckedEvent } from "./screen.ts";

/** What one call's events are checked against beside the histories, which they are not in yet. */
export class RepeatsInCall {
  private readonly last = new Map<string, string>();
  private readonly timed = new Set<string>();

  /** Whether the histories no longer tell which event of this user was the last one. */
  knows(userId: string, time: number | undefined): boolean {
    return time === undefined && this.last.has(userId);
  }

  has({ userId, item, time }: CheckedEvent): boolean {
    return time === undefined ? this.last.get(userId) === String(item) : this.timed.has(keyOf(userId, item, time));
  }

  add({ userId, item, time }: CheckedEvent): void {
    this.last.set(userId, String(item));
    if (time !== undefined) this.timed.add(keyOf(userId, item, time));
  }
}

const keyOf = (userId: string, item: number, time: number): string => `${time} ${item} ${userId}`;
