import type { Command } from "../program/plan.ts";

/** Sleeps are cut to this, so that one odd estimate cannot freeze a program for long. */
const MAX_EXPECTED_MS = 2000;
/** What a dispatch costs beyond its arithmetic and its bytes, in the same unit. */
const COST_PER_DISPATCH = 100_000;
/** Bytes weigh more than multiply-adds: memory is the slower of the two on every adapter. */
const COST_PER_BYTE = 4;

/** What is awaited for less had ended before. */
const AT_ONCE_MS = 0.5;
/** Of a sleep that was too long, what the work is believed to have taken. */
const OVERSLEPT_SHARE = 0.9;

/** Of a queue that was never seen to end: a small GPU's speed. */
const FIRST_MS_PER_COST = 1e-8;

/** How much work a command is, in a unit of no meaning but for comparison. */
export function costOf(command: Command): number {
  return COST_PER_DISPATCH + (command.kind === "dispatch" ? command.flops : 0) + COST_PER_BYTE * command.bytes;
}

/** Knows about when the queue will be done: the work in it, and how fast this device has been at such work. */
export class QueueClock {
  private queuedCost = 0;
  private msPerCost = 0;
  private compiles = false;

  /** @param first a plan's first run compiles shaders: its time tells nothing about the next one */
  queue(cost: number, first: boolean): void {
    this.queuedCost += cost;
    this.compiles ||= first;
  }

  /** Until everything queued is done; 0 while nothing is known. */
  get expectedMs(): number {
    return this.compiles ? 0 : Math.min(MAX_EXPECTED_MS, this.queuedCost * this.msPerCost);
  }

  /** How much work this device does in so much time, about. */
  costWithin(ms: number): number {
    return ms / (this.msPerCost || FIRST_MS_PER_COST);
  }

  /**
   * The queue is empty.
   *
   * @param sleptMs slept before its end was asked for
   * @param awaitedMs from then until it came
   */
  done(sleptMs: number, awaitedMs: number): void {
    if (!this.compiles && this.queuedCost > 0) {
      // Where the end had come already, the sleep was too long, by how much nobody knows.
      const overslept = sleptMs > 0 && awaitedMs < AT_ONCE_MS;
      const observed = (overslept ? OVERSLEPT_SHARE * sleptMs : sleptMs + awaitedMs) / this.queuedCost;
      this.msPerCost = this.msPerCost === 0 || overslept ? observed : 0.7 * this.msPerCost + 0.3 * observed;
    }
    this.queuedCost = 0;
    this.compiles = false;
  }
}
