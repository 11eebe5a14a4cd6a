import { HeddleError } from "../errors.ts";
import type { Program } from "../program/program.ts";
import type { Node, Tensor } from "../program/tensor.ts";
import type { Dim, SymbolicDim } from "./dims.ts";

// A traced program has one shape. Traces of one function at several shapes differ in a few numbers only. This file
// finds out how those numbers follow from the extents of the inputs, so that one graph serves every shape.

/** Attributes that are extents or counts: lowerings ask for them as dims, so they may differ from shape to shape. */
const EXTENTS = new Set(["shape", "type", "batch", "keys", "rows", "begin", "end", "before", "after"]);

/** A constant that is `scale` · dim or `scale` / dim, such as the 1 / n of a mean. */
export interface ScaledDim {
  readonly scale: number;
  readonly dim: SymbolicDim;
  readonly reciprocal: boolean;
}

/** An extent of the inputs that differs from run to run. */
export interface ShapeSymbol {
  readonly name: string;
  /** Where a run reads it. */
  readonly input: string;
  readonly axis: number;
}

/** A number somewhere in a program, the same place in each of them. */
type Place = (program: Program) => number;

interface Use {
  readonly place: Place;
  readonly value: number | SymbolicDim | ScaledDim;
}

/** One or more traces of a function, seen as one program with symbolic extents. */
export class SymbolicProgram {
  readonly base: Program;
  readonly symbols: readonly ShapeSymbol[];
  /** What all of them have in common. */
  readonly structure: string;
  private readonly position: ReadonlyMap<Node, number>;
  /** Whatever a graph was told: what another program must agree with. */
  private readonly uses: Use[] = [];

  /**
   * Throws DYNAMIC_SHAPE where the programs differ in more than extents.
   *
   * @param nameOf the symbol of an input's axis; by default `inputIds.0`
   */
  constructor(
    readonly programs: readonly Program[],
    nameOf: (input: string, axis: number) => string = (input, axis) => `${input}.${axis}`,
  ) {
    this.base = programs[0]!;
    this.position = new Map(this.base.nodes.map((node, i) => [node, i]));
    this.structure = structureOf(this.base);
    const different = programs.slice(1).find((program) => structureOf(program) !== this.structure);
    if (different) throw new HeddleError("DYNAMIC_SHAPE", `[${this.base.name}] is another program at another shape, not only longer or shorter; compile one function for each`);
    this.symbols = findSymbols(programs, nameOf);
  }

  dimsOf(tensor: Tensor): Dim[] {
    const position = this.position.get(tensor.node)!;
    return tensor.shape.map((_, axis) => this.dimAt(({ nodes }) => nodes[position]!.outputs[tensor.outputIndex]!.shape[axis]!, tensor.node));
  }

  /** An attribute that is an extent, such as where a slice begins. */
  attributeDim(node: Node, name: string): Dim {
    const position = this.position.get(node)!;
    return this.dimAt(({ nodes }) => (nodes[position]!.attributes as Record<string, number>)[name]!, node);
  }

  /** The value of a `constant` node. */
  constantOf(node: Node): number | ScaledDim {
    const position = this.position.get(node)!;
    const place: Place = ({ nodes }) => (nodes[position]!.attributes as { value: number }).value;
    const values = this.programs.map(place);
    const value = values.every((one) => one === values[0]) ? values[0]! : this.scaled(values);
    if (value === null) throw this.unexplained(node, values);
    this.uses.push({ place, value });
    return value;
  }

  /** True where a graph made of what was asked so far is right for `program` too. */
  covers(program: Program): boolean {
    if (structureOf(program) !== this.structure) return false;
    const extents = new Map<string, number>();
    for (const { name, input, axis } of this.symbols) extents.set(name, program.inputs.get(input)!.shape[axis]!);
    return this.uses.every(({ place, value }) => {
      const wanted = evaluate(value, extents);
      return Math.abs(place(program) - wanted) <= 1e-12 * Math.abs(wanted);
    });
  }

  private dimAt(place: Place, node: Node): Dim {
    const values = this.programs.map(place);
    const value = values.every((one) => one === values[0]) ? values[0]! : this.explain(values);
    if (value === null) throw this.unexplained(node, values);
    this.uses.push({ place, value });
    return value;
  }

  /**
   * Integers that follow from the symbols: c · product, else ± product + c, such as what is left of a table of positions, else
   * c · product + d, which takes three traces to tell from chance.
   */
  private explain(values: readonly number[]): SymbolicDim | null {
    for (const { symbols, extents } of this.products()) {
      const coefficient = values[0]! / extents[0]!;
      if (Number.isInteger(coefficient) && values.every((value, i) => value === coefficient * extents[i]!)) return { coefficient, symbols, offset: 0 };
    }
    for (const { symbols, extents } of this.products()) {
      for (const coefficient of [1, -1]) {
        const offset = values[0]! - coefficient * extents[0]!;
        if (values.every((value, i) => value === coefficient * extents[i]! + offset)) return { coefficient, symbols, offset };
      }
    }
    for (const { symbols, extents } of this.products()) {
      if (new Set(extents).size < 3) continue;
      const coefficient = (values[1]! - values[0]!) / (extents[1]! - extents[0]!);
      const offset = values[0]! - coefficient * extents[0]!;
      if (Number.isInteger(coefficient) && values.every((value, i) => value === coefficient * extents[i]! + offset)) return { coefficient, symbols, offset };
    }
    return null;
  }

  private scaled(values: readonly number[]): ScaledDim | null {
    for (const reciprocal of [true, false]) {
      for (const { symbols, extents } of this.products()) {
        const scales = values.map((value, i) => (reciprocal ? value * extents[i]! : value / extents[i]!));
        if (scales.every((scale) => Math.abs(scale - scales[0]!) <= 1e-12 * Math.abs(scale))) return { scale: scales[0]!, dim: { coefficient: 1, symbols, offset: 0 }, reciprocal };
      }
    }
    return null;
  }

  /** Each symbol, then each product of two, with their extents in every program. */
  private products(): { symbols: string[]; extents: number[] }[] {
    const single = this.symbols.map(({ name, input, axis }) => ({ symbols: [name], extents: this.programs.map(({ inputs }) => inputs.get(input)!.shape[axis]!) }));
    const pairs = single.flatMap((a, i) => single.slice(i).map((b) => ({ symbols: [...a.symbols, ...b.symbols], extents: a.extents.map((extent, k) => extent * b.extents[k]!) })));
    return [...single, ...pairs];
  }

  private unexplained(node: Node, values: readonly number[]): HeddleError {
    return new HeddleError("DYNAMIC_SHAPE", `[${this.base.name}] ${node.op.name} has the sizes ${values.join(" and ")} at ${values.length} shapes of the inputs, which follow from no extent or product of two; compile one function for each shape`);
  }
}

/** Everything about a program but its constants' values and its extents (only whether they are 0), as text. */
export function structureOf(program: Program): string {
  const positions = new Map(program.nodes.map((node, i) => [node, i]));
  const spell = ({ node, outputIndex }: Tensor) => `${positions.get(node)}.${outputIndex}`;
  const attributes = (node: Node) => JSON.stringify(Object.entries(node.attributes).filter(([name]) => !EXTENTS.has(name) && !(node.op.name === "constant" && name === "value")));
  const nodes = program.nodes.map((node) => `${node.op.name}(${node.inputs.map(spell).join()})${attributes(node)}:${node.outputs.map(({ dtype, shape }) => dtype + shape.map((extent) => Math.min(extent, 1)).join("")).join()}`);
  const named = [...program.inputs, ...program.outputs].map(([name, tensor]) => `${name}=${spell(tensor)}`);
  const states = [...program.states, ...program.updates].map(([state, tensor]) => `${state.name}=${spell(tensor)}`);
  return [...nodes, ...named, ...states].join(";");
}

/**
 * Axes of inputs whose extent differs between the programs; axes that always agree are one symbol, read from the first.
 * An input that nothing reads is none of the graph's.
 */
function findSymbols(programs: readonly Program[], nameOf: (input: string, axis: number) => string): ShapeSymbol[] {
  const known = new Map<string, ShapeSymbol>();
  const [{ inputs: all, nodes }] = programs as [Program];
  for (const [input, tensor] of all) {
    if (!nodes.includes(tensor.node)) continue;
    tensor.shape.forEach((extent, axis) => {
      const extents = programs.map(({ inputs }) => inputs.get(input)!.shape[axis]!);
      if (extents.every((one) => one === extent) || known.has(extents.join())) return;
      known.set(extents.join(), { name: nameOf(input, axis), input, axis });
    });
  }
  return [...known.values()];
}

function evaluate(value: Use["value"], extents: ReadonlyMap<string, number>): number {
  if (typeof value === "number") return value;
  if ("scale" in value) return value.reciprocal ? value.scale / evaluate(value.dim, extents) : value.scale * evaluate(value.dim, extents);
  return value.coefficient * value.symbols.reduce((product, name) => product * extents.get(name)!, 1) + value.offset;
}

