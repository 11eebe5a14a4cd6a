import type { Screen } from "../session/terminal.ts";

const ERASE_LINE = "\r\u001b[K";

/** A last line that is drawn over and over on a terminal, with other lines scrolling above it. */
export class StatusLine {
  #shown = "";

  constructor(private readonly screen: Screen) {}

  /** Does nothing where nobody watches. `text` must fit on a line. */
  update(text: string): void {
    if (!this.screen.isTTY) return;
    this.#shown = text;
    this.screen.write(ERASE_LINE + text);
  }

  /** A line that stays. */
  print(line: string): void {
    this.screen.write(`${this.#shown ? ERASE_LINE : ""}${line}\n${this.#shown}`);
  }

  clear(): void {
    if (this.#shown) this.screen.write(ERASE_LINE);
    this.#shown = "";
  }
}
