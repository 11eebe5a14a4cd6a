/** Characters that normal forms may join or reorder: a syllable of Hangul jamo, a letter with its marks. */
const CLUSTERS = /[\u1100-\u115f][\u1160-\u11a7]+[\u11a8-\u11ff]*|\P{M}[\p{M}\uff9e\uff9f]*|[\p{M}\uff9e\uff9f]+/gu;

/** A text that was made of another, and for each of its UTF-16 code units the span of the original that it stands for. */
export class AlignedText {
  private constructor(
    readonly text: string,
    private readonly starts: Int32Array,
    private readonly ends: Int32Array,
  ) {}

  /** `text` as it stands in an original at `begin`; a character outside the basic plane is one. */
  static of(text: string, begin = 0): AlignedText {
    const builder = new Builder();
    let at = begin;
    for (const character of text) {
      builder.add(character, at, at + character.length);
      at += character.length;
    }
    return builder.done();
  }

  /** The span of the original behind [begin, end), which must not be empty. */
  span(begin: number, end: number): readonly [start: number, end: number] {
    return [this.starts[begin]!, Math.max(this.ends[end - 1]!, this.starts[begin]!)];
  }

  slice(begin: number, end = this.text.length): AlignedText {
    return new AlignedText(this.text.slice(begin, end), this.starts.subarray(begin, end), this.ends.subarray(begin, end));
  }

  /** With something in front that stands for the first character, as Python's tokenizers has it. */
  prepend(content: string): AlignedText {
    if (this.text === "") return this;
    const builder = new Builder();
    builder.add(content, this.starts[0]!, this.ends[0]!);
    this.copyTo(builder, 0, this.text.length);
    return builder.done();
  }

  /** With other content in place of every match: it stands for the last character of the match. */
  replace(pattern: string | RegExp, content: string): AlignedText {
    const builder = new Builder();
    let done = 0;
    this.text.replaceAll(pattern, (match: string, ...rest: unknown[]) => {
      const at = rest.find((value) => typeof value === "number")!;
      this.copyTo(builder, done, at);
      done = at + match.length;
      const place = Math.max(0, done - 1);
      builder.add(content, this.starts[place] ?? 0, this.ends[place] ?? 0);
      return "";
    });
    this.copyTo(builder, done, this.text.length);
    return builder.done();
  }

  /** Each character as `unitsOf` says in so many units of another alphabet; all of them stand for it. `text` is the whole. */
  respelled(text: string, unitsOf: (character: string) => number): AlignedText {
    const builder = new Builder();
    let [from, to] = [0, 0];
    for (const character of this.text) {
      const count = unitsOf(character);
      builder.add(text.slice(to, to + count), this.starts[from]!, this.ends[from]!);
      from += character.length;
      to += count;
    }
    return builder.done();
  }

  /**
   * After a function that changes characters each by itself or with their marks: case, accents, normal forms. What a character becomes
   * stands for it; of characters that are joined, the first.
   */
  map(change: (text: string) => string): AlignedText {
    const whole = change(this.text);
    if (whole === this.text) return this;
    const builder = new Builder();
    let at = 0;
    for (const cluster of this.text.match(CLUSTERS) ?? []) {
      const characters = [...cluster];
      const alone = characters.map(change);
      const together = change(cluster);
      if (alone.join("") === together) {
        characters.forEach((character, i) => {
          builder.add(alone[i]!, this.starts[at]!, this.ends[at]!);
          at += character.length;
        });
      } else {
        this.joinInto(builder, at, cluster, together);
        at += cluster.length;
      }
    }
    // Else a change that looks further than a cluster, such as a final sigma's: the best guess is that characters stay in their order.
    const made = builder.done();
    return made.text.length === whole.length ? new AlignedText(whole, made.starts, made.ends) : this.respread(whole);
  }

  /** Of a cluster that became another, the last characters stand for the last ones and the first for the first. */
  private joinInto(builder: Builder, at: number, cluster: string, result: string): void {
    const begins: number[] = [];
    let place = at;
    for (const character of cluster) {
      begins.push(place);
      place += character.length;
    }
    const out = [...result];
    out.forEach((character, i) => {
      const from = begins[i === 0 ? 0 : Math.max(0, begins.length - out.length + i)]!;
      builder.add(character, this.starts[from]!, this.ends[from]!);
    });
  }

  private respread(text: string): AlignedText {
    const builder = new Builder();
    const last = this.text.length - 1;
    for (let i = 0; i < text.length; i++) {
      const from = Math.max(0, Math.round((i * last) / Math.max(1, text.length - 1)));
      builder.add(text[i]!, this.starts[from]!, this.ends[from]!);
    }
    return builder.done();
  }

  private copyTo(builder: Builder, begin: number, end: number): void {
    for (let i = begin; i < end; i++) builder.add(this.text[i]!, this.starts[i]!, this.ends[i]!);
  }

  /** @internal */
  static made(text: string, starts: readonly number[], ends: readonly number[]): AlignedText {
    return new AlignedText(text, Int32Array.from(starts), Int32Array.from(ends));
  }
}

class Builder {
  private readonly parts: string[] = [];
  private readonly starts: number[] = [];
  private readonly ends: number[] = [];

  /** Content all of which stands for [start, end). */
  add(content: string, start: number, end: number): void {
    this.parts.push(content);
    for (let i = 0; i < content.length; i++) {
      this.starts.push(start);
      this.ends.push(end);
    }
  }

  done(): AlignedText {
    return AlignedText.made(this.parts.join(""), this.starts, this.ends);
  }
}
