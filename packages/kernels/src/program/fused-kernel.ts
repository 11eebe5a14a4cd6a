import type { FusedStep } from "./fusion.ts";
import { isConstant } from "./fusion.ts";
import { defineKernel, type Kernel } from "./kernel.ts";
import type { ElementwiseWgsl } from "./op.ts";
import type { Tensor } from "./tensor.ts";
import { sizeOf, stridesOf, type DType, type Shape } from "./types.ts";

export const FUSED_WORKGROUP_SIZE = 64;

/** How an operand's elements line up with the result's. */
interface Access {
  /** WGSL expression of the operand's index for result element (or group of four) `index`. */
  readonly index: string;
  /** 4: one vec4 is read; 1: one element is read and repeated. */
  readonly width: 1 | 4;
  readonly params: Record<string, number>;
}

/** The part of a step's result that one dispatch computes. */
export interface FusedRange {
  readonly output: Shape;
  readonly inputs: readonly Shape[];
  /** Elements of the whole result before this part. */
  readonly first: number;
}

export const wholeRange = ({ nodes, inputs }: FusedStep): FusedRange => ({ output: nodes.at(-1)!.outputs[0]!.shape, inputs: inputs.map(({ shape }) => shape), first: 0 });

/** One generated kernel for a fused step, with the parameters of these shapes. Shapes with the same broadcast pattern share the text. */
export function fusedKernel(step: FusedStep, range: FusedRange): { kernel: Kernel; params: Record<string, number>; count: number } {
  const output = step.nodes.at(-1)!.outputs[0]!;
  const size = sizeOf(range.output);
  const wide = size % 4 === 0 ? range.inputs.map((shape, i) => accessOf(shape, range.output, i, 4)) : [null];
  const width = wide.every((access) => access !== null) ? 4 : 1;
  const accesses = (width === 4 ? wide : range.inputs.map((shape, i) => accessOf(shape, range.output, i, 1))) as Access[];
  const uniforms: Record<string, number> = {};
  const spell = spelling(width, range.first, uniforms);
  const names = new Map<string, string>();
  const key = (tensor: Tensor) => `${tensor.node.id}.${tensor.outputIndex}`;
  const functions: Record<string, string> = {};
  const lines: string[] = [];
  if (width === 4) lines.push("let element = index * 4u + vec4u(0u, 1u, 2u, 3u);");
  step.inputs.forEach((input, i) => {
    const access = accesses[i]!;
    const element = `x${i}[${access.index}]`;
    names.set(key(input), `v${i}`);
    lines.push(`let v${i} = ${access.width === width ? element : `${typeName(input.dtype, width)}(${element})`};`);
  });
  const operand = ({ node, outputIndex }: Tensor): string => (isConstant(node) ? node.op.elementwise!.wgsl([], node.attributes, spell) : names.get(`${node.id}.${outputIndex}`)!);
  step.nodes.forEach((node, i) => {
    const elementwise = node.op.elementwise!;
    Object.assign(functions, elementwise.functions?.(spell, node.attributes));
    lines.push(`let t${i}: ${typeName(node.outputs[0]!.dtype, width)} = ${elementwise.wgsl(node.inputs.map(operand), node.attributes, spell)};`);
    names.set(`${node.id}.0`, `t${i}`);
  });
  lines.push(`y[index] = t${step.nodes.length - 1};`);
  const params = Object.assign({}, ...accesses.map((access) => access.params), uniforms) as Record<string, number>;
  const kernel = defineKernel({
    label: `fused/${step.nodes.map((node) => node.op.name).join(".").slice(0, 80)}/x${width}`,
    reads: Object.fromEntries(step.inputs.map((input, i) => [`x${i}`, `array<${typeName(input.dtype, accesses[i]!.width)}>`])),
    writes: { y: `array<${typeName(output.dtype, width)}>` },
    params: Object.fromEntries(Object.keys(params).map((name) => [name, "u32" as const])),
    module: Object.values(functions).join("\n"),
    workgroupSize: [FUSED_WORKGROUP_SIZE],
    linear: true,
    body: lines.map((line) => `  ${line}`).join("\n"),
  });
  return { kernel, params, count: size / width };
}

function accessOf(from: Shape, to: Shape, input: number, width: 1 | 4): Access | null {
  const axes = collapse(from, to);
  const last = axes.at(-1);
  if (!last || axes.every((axis) => axis.stride === 0)) return { index: "0u", width: 1, params: {} };
  if (width === 4 && (last.extent % 4 !== 0 || (last.stride !== 0 && axes.some((axis) => axis !== last && axis.stride % 4 !== 0)))) return null;
  const reads = width === 4 && last.stride !== 0 ? 4 : 1;
  if (axes.length === 1) return { index: "index", width: reads, params: {} };
  const params: Record<string, number> = {};
  const terms: string[] = [];
  let rest = "index";
  for (let i = axes.length - 1; i >= 0; i--) {
    const { extent, stride } = axes[i]!;
    const isLast = i === axes.length - 1;
    const e = `e${input}_${i}`;
    if (i > 0) params[e] = isLast ? extent / width : extent;
    if (stride !== 0) {
      const coordinate = i > 0 ? `(${rest} % p.${e})` : rest;
      if (isLast) terms.push(coordinate);
      else {
        params[`s${input}_${i}`] = stride / reads;
        terms.push(`${coordinate} * p.s${input}_${i}`);
      }
    }
    if (i > 0) rest = `(${rest} / p.${e})`;
  }
  return { index: terms.join(" + "), width: reads, params };
}

/** The result's axes with the operand's stride on each (0 where broadcast), neighbours merged where one stride serves both. */
function collapse(from: Shape, to: Shape): { extent: number; stride: number }[] {
  const strides = stridesOf(from);
  const lead = to.length - from.length;
  const axes: { extent: number; stride: number }[] = [];
  to.forEach((extent, axis) => {
    if (extent === 1) return;
    const stride = axis < lead || from[axis - lead] === 1 ? 0 : strides[axis - lead]!;
    const previous = axes.at(-1);
    if (previous && previous.stride === stride * extent) axes.splice(-1, 1, { extent: previous.extent * extent, stride });
    else axes.push({ extent, stride });
  });
  return axes;
}

/** @param uniforms receives the parameters that expressions ask for */
function spelling(width: 1 | 4, first: number, uniforms: Record<string, number>): ElementwiseWgsl {
  return {
    width,
    constant: (value) => (width === 1 ? `${Math.fround(value)}f` : `vec4f(${Math.fround(value)}f)`),
    get index() {
      uniforms["first"] = first;
      return width === 4 ? "(element + p.first)" : "(index + p.first)";
    },
    float: typeName("f32", width),
    unsigned: typeName("u32", width),
    signed: typeName("i32", width),
    uniform(value) {
      const name = `u${Object.keys(uniforms).length}`;
      uniforms[name] = value;
      return `p.${name}`;
    },
  };
}

function typeName(dtype: DType, width: 1 | 4): string {
  return width === 1 ? dtype : `vec4${dtype[0]}`;
}
