import { hostProcess } from "../device/environment.ts";
import type { Engine } from "./engine.js";
import { openInPage } from "./page-host.ts";
import { openInThread } from "./thread-host.ts";

/** The engine behind a door: a worker thread in Node, the calling thread in a browser. Calls are answered in order. */
export interface EngineHost {
  /** The npm package that computes. */
  readonly packageName: string;
  /** Graphs that replace states have COPY_STOPPER as their first output. */
  readonly stopsCopies: boolean;
  readonly threads: number;
  call<M extends EngineMethod>(method: M, ...args: Parameters<Engine[M]>): Promise<Awaited<ReturnType<Engine[M]>>>;
  /** Frees everything; calls still waiting are answered first. */
  close(): void;
}

export type EngineMethod = "createSession" | "releaseSession" | "createState" | "writeState" | "readStates" | "releaseState" | "run" | "close";

/** Throws PACKAGE_MISSING where onnxruntime is not installed. */
export async function openEngine(threads: number | undefined): Promise<EngineHost> {
  return hostProcess?.versions?.node === undefined ? openInPage(threads) : openInThread(threads);
}
