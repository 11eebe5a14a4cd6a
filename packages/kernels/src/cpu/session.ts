import { HeddleError } from "../errors.ts";
import { lowerToOnnx, type OnnxLowering } from "../onnx/lower.ts";
import { elementTypes } from "../onnx/element-types.ts";
import { encodeModel, type ModelInfo } from "../onnx/proto.ts";
import { structureOf, SymbolicProgram } from "../onnx/symbolic-program.ts";
import { statesOf, type Program } from "../program/program.ts";
import type { CpuDevice } from "./device.ts";
import { COPY_STOPPER } from "./engine.js";
import type { CpuState } from "./state.ts";

/** Protobuf's limit is 2 GiB; weights beyond stay inputs. */
const MAX_CONSTANT_BYTES = 1.9 * 2 ** 30;

/** A graph that onnxruntime holds. */
export interface OpenGraph {
  readonly id: number;
  readonly lowering: OnnxLowering;
  /** Resolves when onnxruntime has optimised it; runs may be queued before. */
  readonly created: Promise<void>;
}

/**
 * One onnxruntime session for all shapes of one function. The first shape gets a graph of its own; the next one makes it a
 * graph with symbolic extents, which serves the shapes that follow too: weights are held and packed once.
 */
export class Session {
  /** Programs of executables that use it. */
  readonly programs = new Set<Program>();
  private readonly states: readonly CpuState[];
  private symbolic: SymbolicProgram;
  private covered = new Set<Program>();
  private graph: (OpenGraph & { readonly constants: ReadonlyMap<CpuState, number> }) | null = null;

  constructor(
    private readonly device: CpuDevice,
    first: Program,
    private readonly int8: boolean,
  ) {
    this.states = statesOf(first) as CpuState[];
    this.symbolic = new SymbolicProgram([first]);
  }

  /** True for the same function of the same states at another shape. */
  isFor(program: Program, int8: boolean): boolean {
    const states = statesOf(program);
    return int8 === this.int8 && program.name === this.symbolic.base.name && states.length === this.states.length && states.every((state, i) => state === this.states[i]) && structureOf(program) === this.symbolic.structure;
  }

  /** A graph for `program`, the current one where it serves; null where no one graph serves this shape and the others. */
  open(program: Program): OpenGraph | null {
    if (this.graph && !this.covered.has(program) && this.symbolic.covers(program)) this.covered.add(program);
    if (this.graph && this.covered.has(program) && [...this.graph.constants].every(([state, version]) => state.version === version && state.constant !== null)) return this.graph;
    return this.build(program);
  }

  close(): void {
    if (this.graph) this.device.queue(this.device.engine.call("releaseSession", this.graph.id));
    this.graph = null;
  }

  private build(program: Program): OpenGraph | null {
    const known = this.symbolic.programs;
    const symbolic = new SymbolicProgram(known.includes(program) || this.covered.has(program) ? known : [...known, program]);
    const constants = new Map<CpuState, number>();
    const replaced = symbolic.base.updates;
    const bytes = this.states.reduce((sum, state) => sum + state.byteLength, 0);
    let lowering: OnnxLowering;
    try {
      lowering = lowerToOnnx(symbolic, {
        int8: this.int8,
        wasm: this.device.engine.packageName === "onnxruntime-web",
        constantOf: (state) => {
          const own = state as CpuState;
          const content = replaced.has(state) || bytes > MAX_CONSTANT_BYTES ? null : own.constant;
          if (content) constants.set(own, own.version);
          return content;
        },
      });
    } catch (error) {
      if (known.length === symbolic.programs.length || !HeddleError.isInstance(error) || error.code !== "DYNAMIC_SHAPE") throw error;
      return null;
    }
    this.close();
    this.symbolic = symbolic;
    this.covered = new Set(symbolic.programs);
    const id = this.device.nextId();
    const { engine, sessionOptions } = this.device;
    const model = encodeModel(engine.stopsCopies && replaced.size > 0 ? withCopyStopper(lowering.model) : lowering.model);
    const created = engine.call("createSession", id, model, sessionOptions);
    created.catch(() => (this.graph = null));
    this.graph = { id, lowering, constants, created };
    return this.graph;
  }
}

function withCopyStopper(model: ModelInfo): ModelInfo {
  const { graph } = model;
  const stopper = { domain: "", type: "SequenceEmpty", inputs: [], outputs: [COPY_STOPPER], attributes: { dtype: elementTypes.f32 } };
  return { ...model, graph: { ...graph, nodes: [stopper, ...graph.nodes], outputs: [{ name: COPY_STOPPER, type: "f32", shape: null }, ...graph.outputs] } };
}
