import { stripVTControlCharacters } from "node:util";
import type { Screen } from "../session/terminal.ts";
import { oneLine } from "./format.ts";

const ERASE_LINE = "\r\u001b[K";

/** A last line that is drawn over and over on a terminal, with other lines scrolling above it. */
export class StatusLine {
  #shown = "";

  constructor(private readonly screen: Screen) {}

  /** Does nothing where nobody watches. A text that does not fit on a line is cut, as what wraps cannot be drawn over. */
  update(text: string): void {
    if (!this.screen.isTTY) return;
    const plain = stripVTControlCharacters(text);
    const room = this.screen.columns() - 1;
    this.#shown = plain.length <= room ? text : oneLine(plain, room);
    this.screen.write(ERASE_LINE + this.#shown);
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
