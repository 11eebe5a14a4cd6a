import { cpus } from "node:os";
import { assertAgreement, largestDifference } from "./agreement.ts";
import type { Agreement, VersusRow } from "./row.ts";
import { takeTurns, type Contender, type Repetition, type TurnsOptions } from "./turns.ts";

/** One side of a comparison that is the same at many shapes; repeats the shape prepared last. */
export interface Side<Shape> extends Contender {
  /** Makes ready to run this shape and gives the numbers, row by row. */
  prepare(shape: Shape): Promise<Float32Array>;
  close(): Promise<void> | void;
}

/** What is compared, and on what. */
export interface Comparison<Shape> extends Pick<VersusRow, "work" | "backend" | "adapter" | "unit"> {
  readonly shape: Shape;
  readonly shapeText: string;
  /** Of any number, absolute. */
  readonly tolerance: number;
  /** Work per second of what one repetition does, at these milliseconds. */
  rate(milliseconds: number): number;
  /** Whether the shaders run on the CPU: then CPU time tells how fast they are. */
  readonly software: boolean;
}

/** One row: agreement first, then the clocks. The first side is Heddle's. */
export async function compare<Shape>(sides: readonly Side<Shape>[], comparison: Comparison<Shape>, turns: TurnsOptions): Promise<VersusRow> {
  const agreement = await agree(sides, comparison);
  const { medians, rounds, othersShare } = await takeTurns(sides, turns);
  const { work, backend, adapter, unit, shapeText, rate, software } = comparison;
  const byCpu = ({ cpuMs }: Repetition) => (software && cpuMs ? rate(cpuMs / cpus().length) : null);
  const [own, ...peers] = medians;
  const named = <T>(value: (repetition: Repetition) => T) => Object.fromEntries(peers.map((repetition, i) => [sides[i + 1]!.name, value(repetition)]));
  return {
    work,
    shape: shapeText,
    backend,
    adapter,
    unit,
    higherIsBetter: true,
    heddle: rate(own!.milliseconds),
    peers: named(({ milliseconds }) => rate(milliseconds)),
    heddleByCpu: byCpu(own!),
    peersByCpu: named(byCpu),
    agreement: peers.length === 0 ? null : agreement,
    rounds,
    othersShare,
    date: new Date().toISOString(),
  };
}

/** Throws RUNTIME_FAILED where two sides differ by more than rounding. */
async function agree<Shape>([own, ...peers]: readonly Side<Shape>[], { work, shape, shapeText, tolerance }: Comparison<Shape>): Promise<Agreement> {
  const wanted = await own!.prepare(shape);
  const differences: Record<string, number> = {};
  for (const peer of peers) differences[peer.name] = largestDifference(await peer.prepare(shape), wanted);
  const agreement: Agreement = { measure: "largest absolute difference", tolerance, differences };
  assertAgreement(`${work} ${shapeText}`, agreement);
  return agreement;
}
