import type { Side } from "./compare.ts";
import type { Place } from "./implementations/implementation.ts";
import type { WorkName } from "./implementations/table.ts";
import { peerName, type PeerSpec } from "./peers.ts";
import type { Repetition } from "./turns.ts";

/** A side before it is opened. */
export interface SideSpec extends Pick<Place, "model" | "onnx" | "provider" | "threads"> {
  readonly name: string;
  readonly work: WorkName;
  readonly implementation: string;
  /** Whether the library looks for `navigator.gpu`. */
  readonly navigatorGpu: boolean;
}

/** Where the sides of a comparison run: processes or pages of their own, all on one adapter. */
export interface Stage {
  readonly adapter: string;
  /** Whether shaders run on the CPU. */
  readonly software: boolean;
  /** The peers that run here. */
  readonly peers: Readonly<Record<WorkName, readonly PeerSpec[]>>;
  open<Shape>(spec: SideSpec): Promise<Side<Shape>>;
  /**
   * What a side's first result costs in a new process with empty caches, by the clock and by the CPU time of all threads;
   * absent where there are no processes to start.
   */
  coldStart?<Shape>(spec: SideSpec, shape: Shape): Promise<Repetition>;
  close(): Promise<void>;
}

/** Heddle first, then its peers. `model`: the folder of a work with a model. */
export function sidesOf(work: WorkName, { peers }: Stage, threads: number, model = ""): SideSpec[] {
  const heddle: SideSpec = { name: "Heddle", work, implementation: "heddle", provider: "webgpu", navigatorGpu: false, model, onnx: `${model}/onnx/model.onnx`, threads };
  return [heddle, ...peers[work].map((peer) => ({ ...heddle, name: peerName(peer), implementation: peer.implementation, provider: peer.provider, navigatorGpu: peer.navigatorGpu }))];
}

export async function openAll<Shape>(stage: Stage, specs: readonly SideSpec[]): Promise<Side<Shape>[]> {
  const sides: Side<Shape>[] = [];
  try {
    for (const spec of specs) sides.push(await stage.open<Shape>(spec));
    return sides;
  } catch (error) {
    await closeAll(sides);
    throw error;
  }
}

export async function closeAll(sides: readonly Side<never>[]): Promise<void> {
  for (const side of sides) await side.close();
}
