import { layoutOf, type QuantizationFormat } from "../quantize/format.ts";

/**
 * How a product's second operand is stored. Half floats lie two to a word; blocks of quantised weights as `quantize/format.ts`
 * says, [N, K] with K a multiple of 32.
 */
export type WeightFormat = "f32" | "f16" | QuantizationFormat;

/** How a kernel reads them, as f32. */
export interface WeightsWgsl {
  readonly reads: Record<string, string>;
  /** Module-scope functions that the expressions call. */
  readonly module: string;
  /** Four elements, from element 4 · `quad` on. */
  four(quad: string): string;
  one(element: string): string;
  /** Formats in blocks, where a kernel keeps a block's scale in a register: expressions of the scale of the block of 4 · `quad`, and of four elements by it. */
  readonly blocks: { readonly size: number; readonly scaleType: string; scale(quad: string): string; four(quad: string, scale: string): string } | null;
}

/** @param width elements that the kernel reads at once, which decides what f32 and f16 are bound as */
export function weightsWgsl(format: WeightFormat, width: 1 | 4): WeightsWgsl {
  if (format === "f32") return { reads: { b: `array<${width === 4 ? "vec4f" : "f32"}>` }, module: "", four: (quad) => `b[${quad}]`, one: (element) => `b[${element}]`, blocks: null };
  return format === "f16" ? halfWeights(width) : blockWeights(format);
}

function halfWeights(width: 1 | 4): WeightsWgsl {
  const wide = width === 4;
  return {
    reads: { b: `array<${wide ? "vec2u" : "u32"}>` },
    module: wide ? "fn halves4(words: vec2u) -> vec4f { return vec4f(unpack2x16float(words.x), unpack2x16float(words.y)); }" : "fn half1(element: u32) -> f32 { return unpack2x16float(b[element >> 1u] >> (16u * (element & 1u))).x; }",
    four: (quad) => `halves4(b[${quad}])`,
    one: (element) => `half1(${element})`,
    blocks: null,
  };
}

/** Steps come out of their words by shifts alone: unpack4xI8 and the like are not in every browser. */
const STEPS = {
  4: "  return vec4f(bitcast<vec4i>(vec4u(b[quad]) << vec4u(24u, 16u, 8u, 0u)) >> vec4u(24u));",
  8: "  return vec4f((vec4u(b[quad >> 1u] >> (4u * (quad & 1u))) >> vec4u(0u, 8u, 16u, 24u)) & vec4u(15u));",
};

const ONE_SCALE = "fn scaleOf(block: u32) -> f32 { return unpack2x16float(scales[block >> 1u] >> (16u * (block & 1u))).x; }";

const SCALE: Readonly<Record<QuantizationFormat, string>> = {
  q8_0: ONE_SCALE,
  q8_16: ONE_SCALE,
  q4_0: "fn scaleOf(block: u32) -> vec2f { return unpack2x16float(scales[block >> 1u] >> (16u * (block & 1u))).x * vec2f(1.0, -8.0); }",
  q4_1: "fn scaleOf(block: u32) -> vec2f { return unpack2x16float(scales[block]); }",
};

function blockWeights(format: QuantizationFormat): WeightsWgsl {
  const { block, stepsPerWord } = layoutOf(format);
  const quadBits = Math.log2(block / 4);
  const plain = stepsPerWord === 4;
  const scaled = (steps: string, scale: string) => (plain ? `${steps} * ${scale}` : `fma(${steps}, vec4f(${scale}.x), vec4f(${scale}.y))`);
  return {
    reads: { b: "array<u32>", scales: "array<u32>" },
    module: `
fn steps4(quad: u32) -> vec4f {
${STEPS[stepsPerWord]}
}
${SCALE[format]}
fn weights4(quad: u32) -> vec4f {
  let scale = scaleOf(quad >> ${quadBits}u);
  return ${scaled("steps4(quad)", "scale")};
}`,
    four: (quad) => `weights4(${quad})`,
    one: (element) => `weights4((${element}) >> 2u)[(${element}) & 3u]`,
    blocks: {
      size: block,
      scaleType: plain ? "f32" : "vec2f",
      scale: (quad) => `scaleOf((${quad}) >> ${quadBits}u)`,
      four: (quad, scale) => scaled(`steps4(${quad})`, scale),
    },
  };
}
