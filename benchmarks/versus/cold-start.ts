import { cpus } from "node:os";
import type { VersusRow } from "./row.ts";
import type { SideSpec, Stage } from "./stage.ts";
import { takeTurns, type Repetition } from "./turns.ts";

const ROUNDS = 3;

export interface ColdStart<Shape> extends Pick<VersusRow, "work"> {
  readonly shape: Shape;
  readonly shapeText: string;
}

/**
 * Milliseconds to the first result in a new process with empty caches: opening the device, reading the model, compiling
 * shaders, the first run. The clock starts when the libraries are loaded, because Heddle's is compiled from TypeScript
 * here and nowhere else. The first side is Heddle's.
 */
export async function compareColdStarts<Shape>(stage: Stage, specs: readonly SideSpec[], { work, shape, shapeText }: ColdStart<Shape>): Promise<VersusRow> {
  const contenders = specs.map((spec) => ({ name: spec.name, repeat: () => stage.coldStart!(spec, shape) }));
  const { medians, rounds, othersShare } = await takeTurns(contenders, { rounds: ROUNDS });
  const [own, ...peers] = medians;
  const byCpu = ({ cpuMs }: Repetition) => (stage.software && cpuMs !== null ? cpuMs / cpus().length : null);
  return {
    work,
    shape: shapeText,
    backend: "webgpu",
    adapter: stage.adapter,
    unit: "ms",
    higherIsBetter: false,
    heddle: own!.milliseconds,
    peers: Object.fromEntries(peers.map(({ milliseconds }, i) => [specs[i + 1]!.name, milliseconds])),
    heddleByCpu: byCpu(own!),
    peersByCpu: Object.fromEntries(peers.map((peer, i) => [specs[i + 1]!.name, byCpu(peer)])),
    agreement: null,
    rounds,
    othersShare,
    date: new Date().toISOString(),
  };
}
