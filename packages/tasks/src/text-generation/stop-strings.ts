/** Cuts a text that comes in pieces at the first of some strings, and holds back what may be the beginning of one. */
export class StopStrings {
  private held = "";
  /** A stop string came; nothing more is given out. */
  stopped = false;

  constructor(private readonly strings: readonly string[]) {}

  /** What can be given out of the text so far. */
  push(piece: string): string {
    if (this.stopped) return "";
    this.held += piece;
    const ends = this.strings.map((stop) => this.held.indexOf(stop)).filter((at) => at >= 0);
    this.stopped = ends.length > 0;
    return this.give(this.stopped ? Math.min(...ends) : this.held.length - this.beginning());
  }

  /** What was held back, once nothing more comes. */
  flush(): string {
    return this.stopped ? "" : this.give(this.held.length);
  }

  private give(length: number): string {
    const given = this.held.slice(0, length);
    this.held = this.held.slice(length);
    return given;
  }

  /** Characters at the end with which a stop string begins. */
  private beginning(): number {
    const longest = Math.max(0, ...this.strings.map((stop) => stop.length - 1));
    for (let length = Math.min(longest, this.held.length); length > 0; length--) {
      if (this.strings.some((stop) => stop.startsWith(this.held.slice(-length)))) return length;
    }
    return 0;
  }
}
