import { checkStatesLiveOn } from "../device/check-program.ts";
import type { Device, Executable, PrepareOptions, State, StateSpec } from "../device/device.ts";
import { hostMemoryBytes } from "../device/environment.ts";
import { HeddleError } from "../errors.ts";
import type { Program } from "../program/program.ts";
import type { HostTensor, TensorType } from "../program/types.ts";
import { CpuExecutable } from "./executable.ts";
import { openEngine, type EngineHost } from "./host.ts";
import { Session, type OpenGraph } from "./session.ts";
import { CpuState } from "./state.ts";

/** Runs handed over but not finished; more would only pile up inputs. */
const MAX_QUEUED = 2;

export interface CpuDeviceOptions {
  /**
   * Threads that a run computes with. Default: one for each core in Node; half of them, at most 4, in a browser. A page that
   * is not cross-origin isolated has one, whatever is asked for, and the first device of a page decides for all.
   */
  threads?: number;
}

/**
 * Programs as ONNX graphs on onnxruntime: onnxruntime-node in a worker thread, or onnxruntime-web in a browser, where it
 * computes on the thread that calls it. `memory` counts states; what onnxruntime holds for itself is not told.
 */
export class CpuDevice implements Device {
  readonly kind = "cpu";
  readonly memory = { currentBytes: 0, peakBytes: 0 };
  readonly capacity = { stateBytes: Infinity, totalBytes: hostMemoryBytes() };
  private readonly sessions = new Set<Session>();
  private readonly pending = new Set<Promise<unknown>>();
  private failure: unknown = null;
  private disposed = false;
  private ids = 0;

  private constructor(readonly engine: EngineHost) {}

  /** Throws PACKAGE_MISSING with the line that installs onnxruntime, INVALID_ARGUMENT for a wrong number of threads. */
  static async open({ threads }: CpuDeviceOptions = {}): Promise<CpuDevice> {
    if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1)) throw new HeddleError("INVALID_ARGUMENT", `[cpu] threads must be a whole number of at least 1, got ${threads}; leave it out to use every core`);
    return new CpuDevice(await openEngine(threads));
  }

  get description(): string {
    const { packageName, threads } = this.engine;
    return `CPU by ${packageName}, ${threads} thread${threads === 1 ? "" : "s"}`;
  }

  /** Errors come as exceptions: onnxruntime need not write them to standard error as well (level 4 is fatal ones). */
  get sessionOptions(): object {
    return { executionProviders: ["cpu"], graphOptimizationLevel: "all", enableMemPattern: false, logSeverityLevel: 4, intraOpNumThreads: this.engine.threads };
  }

  createState(name: string, type: TensorType, data?: HostTensor["data"]): State {
    this.assertUsable();
    const state = new CpuState(this, name, type);
    if (data) state.write(data);
    return state;
  }

  createStates(specs: readonly StateSpec[]): State[] {
    return specs.map(({ name, type }) => this.createState(name, type));
  }

  async readStates(states: readonly State[]): Promise<HostTensor["data"][]> {
    const own = states as readonly CpuState[];
    // Copied before the wait: a program may replace them meanwhile.
    const held = own.map((state) => state.constant?.slice());
    const moved = await this.engine.call("readStates", own.filter((_, i) => !held[i]).map(({ id }) => id));
    this.throwFailure();
    let next = 0;
    return held.map((content) => content ?? moved[next++]!);
  }

  prepare(program: Program, { int8 = false }: PrepareOptions = {}): Executable {
    this.assertUsable();
    checkStatesLiveOn(program, this);
    return new CpuExecutable(this, program, int8);
  }

  async finish(): Promise<void> {
    while (this.pending.size > 0) await Promise.allSettled(this.pending);
    this.throwFailure();
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.engine.close();
  }

  /** An open graph that runs `program`. */
  graphFor(program: Program, int8: boolean): OpenGraph {
    // Its own session first: asking the others again would try to make graphs again, at every run.
    const own = [...this.sessions].find(({ programs }) => programs.has(program));
    const known = own?.open(program);
    if (known) return known;
    if (own) this.release(program);
    for (const session of this.sessions) {
      const graph = session !== own && session.isFor(program, int8) ? session.open(program) : null;
      if (!graph) continue;
      session.programs.add(program);
      return graph;
    }
    const session = new Session(this, program, int8);
    this.sessions.add(session);
    session.programs.add(program);
    return session.open(program)!;
  }

  /** Closes the session of a program when no other program uses it. */
  release(program: Program): void {
    for (const session of this.sessions) {
      if (!session.programs.delete(program) || session.programs.size > 0) continue;
      session.close();
      this.sessions.delete(session);
    }
  }

  /** Work that nobody waits for: its failure is thrown by the next call that can. */
  queue(work: Promise<unknown>): void {
    this.track(work);
    work.catch((error: unknown) => {
      if (!this.disposed) this.failure ??= error;
    });
  }

  /** Work that `finish` waits for and `throttle` counts; whoever handed it over hears of its failure. */
  track(work: Promise<unknown>): void {
    this.pending.add(work);
    const done = () => this.pending.delete(work);
    work.then(done, done);
  }

  /** Waits until few runs are queued. */
  async throttle(): Promise<void> {
    while (this.pending.size > MAX_QUEUED) await Promise.race(this.pending).catch(() => {});
    this.throwFailure();
  }

  nextId(): number {
    return this.ids++;
  }

  account(bytes: number): void {
    this.memory.currentBytes += bytes;
    this.memory.peakBytes = Math.max(this.memory.peakBytes, this.memory.currentBytes);
  }

  assertUsable(): void {
    if (this.disposed) throw new HeddleError("DISPOSED", "[cpu] the device was disposed; open it again");
  }

  private throwFailure(): void {
    const { failure } = this;
    this.failure = null;
    if (failure) throw failure;
  }
}
