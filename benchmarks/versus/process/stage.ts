import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { peersInNode } from "../peers.ts";
import type { SideSpec, Stage } from "../stage.ts";
import type { Repetition } from "../turns.ts";
import { sharedAdapter, type SharedAdapter } from "./adapter.ts";
import { ProcessSide } from "./side.ts";

/** Processes of Node: Dawns do not meet, threads are told apart, and caches start empty where that is wanted. */
export class ProcessStage implements Stage {
  readonly peers = peersInNode;

  private constructor(
    private readonly shared: SharedAdapter,
    private readonly folder: string,
  ) {}

  /** @throws NO_ADAPTER with the fix */
  static async open(folder: string): Promise<ProcessStage> {
    return new ProcessStage(await sharedAdapter(), folder);
  }

  get adapter(): string {
    return this.shared.name;
  }

  get software(): boolean {
    return this.shared.software;
  }

  async open<Shape>(spec: SideSpec): Promise<ProcessSide<Shape>> {
    return (await ProcessSide.open<Shape>(spec, this.shared, this.folder)).side;
  }

  async coldStart<Shape>(spec: SideSpec, shape: Shape): Promise<Repetition> {
    const caches = await mkdtemp(join(this.folder, "caches-"));
    // Mesa's shaders, NVIDIA's, and what libraries keep for the user.
    const environment = { ...this.shared.environment, MESA_SHADER_CACHE_DIR: caches, __GL_SHADER_DISK_CACHE_PATH: caches, XDG_CACHE_HOME: caches };
    const { side, opening } = await ProcessSide.open<Shape>(spec, { ...this.shared, environment }, this.folder);
    try {
      const first = await side.first(shape);
      return { milliseconds: opening.milliseconds + first.milliseconds, cpuMs: opening.cpuMs! + first.cpuMs! };
    } finally {
      await side.close();
      await rm(caches, { recursive: true, force: true });
    }
  }

  async close(): Promise<void> {}
}
