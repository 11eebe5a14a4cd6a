import { pcg3d } from "@heddle/kernels";

/** Numbers of one case, a pure function of the seed and the case: any case can be run again by itself. */
export class CaseRandom {
  private drawn = 0;

  constructor(
    private readonly seed: number,
    private readonly index: number,
  ) {}

  /** A whole number below `limit`, at least 0. */
  below(limit: number): number {
    return Math.floor((pcg3d(this.seed, this.index, this.drawn++)[2] / 2 ** 32) * limit);
  }

  /** True once in so many times. */
  oneIn(times: number): boolean {
    return this.below(times) === 0;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }
}
