import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Side } from "../compare.ts";
import { LinePeer } from "../line-peer.ts";
import type { SideSpec } from "../stage.ts";
import type { Repetition } from "../turns.ts";
import type { SharedAdapter } from "./adapter.ts";

/** What a child is told. */
export interface ChildSpec extends SideSpec {
  readonly adapter: string;
  /** The driver that its process must have loaded; null: nobody knows. */
  readonly driverLibrary: string | null;
}

let processes = 0;

/** A side in a process of its own. */
export class ProcessSide<Shape> implements Side<Shape> {
  readonly name: string;
  private readonly peer: LinePeer;
  private readonly outputFile: string;

  private constructor(spec: ChildSpec, environment: NodeJS.ProcessEnv, folder: string) {
    this.name = spec.name;
    this.peer = new LinePeer(spec.name, process.execPath, [...process.execArgv, join(import.meta.dirname, "child.ts"), JSON.stringify(spec)], environment);
    this.outputFile = join(folder, `output-${processes++}.f32`);
  }

  /**
   * Resolves when the library is loaded and its device open; `opening` is what the latter cost.
   *
   * @param folder for what it hands over
   */
  static async open<Shape>(spec: SideSpec, { name, driverLibrary, environment }: SharedAdapter, folder: string): Promise<{ side: ProcessSide<Shape>; opening: Repetition }> {
    const side = new ProcessSide<Shape>({ ...spec, adapter: name, driverLibrary: spec.provider === "cpu" ? null : driverLibrary }, environment, folder);
    try {
      return { side, opening: (await side.peer.call("open")) as Repetition };
    } catch (error) {
      await side.close();
      throw error;
    }
  }

  async prepare(shape: Shape): Promise<Float32Array> {
    await this.first(shape);
    const bytes = await readFile(this.outputFile);
    return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  }

  /** What the first result of this shape costs. */
  async first(shape: Shape): Promise<Repetition> {
    return (await this.peer.call("prepare", { shape, output: this.outputFile })) as Repetition;
  }

  async repeat(): Promise<Repetition> {
    return (await this.peer.call("repeat")) as Repetition;
  }

  async settle(): Promise<void> {
    await this.peer.call("settle");
  }

  close(): Promise<void> {
    return this.peer.close();
  }
}
