/** Rotary embedding on vec4s of a head, for kernels that turn rows as they load them; see op.ts. The table's binding is `rotary`. */
export interface ChunkRotation {
  readonly dims: number;
  readonly interleaved: boolean;
}

/** Whether a vec4's pairs are all in it, or all in one other vec4. */
export const rotatesChunks = ({ dims, interleaved }: ChunkRotation): boolean => dims % (interleaved ? 4 : 8) === 0;

/** Whether the same one of `lanes` lanes that take chunks in turn has both chunks of each pair. */
export const pairsStayTogether = ({ dims, interleaved }: ChunkRotation, lanes: number): boolean => interleaved || (dims / 8) % lanes === 0;

/** The binding's type: rows of `dims` numbers, the cosines of all pairs and then their sines. */
export const rotaryTableType = ({ interleaved }: ChunkRotation): string => (interleaved ? "array<vec2f>" : "array<vec4f>");

/** Statements: `cosine` and `sine` of chunk `at` of the first half, or of any chunk where pairs are neighbours. */
export function anglesOf({ dims, interleaved }: ChunkRotation, position: string, at: string, suffix = ""): string {
  const row = dims / (interleaved ? 2 : 4);
  return `let cosine${suffix} = rotary[${position} * ${row}u + ${at}]; let sine${suffix} = rotary[${position} * ${row}u + ${row / 2}u + ${at}];`;
}

/**
 * Statement: `value`, a variable with chunk `chunk` of a row, turned by the angles of `position`, or back. Without branches, which
 * CPUs' drivers compile slowly.
 *
 * @param partner WGSL of another chunk of the same row
 * @param whole whether `dims` are all that a row has
 */
export function turnChunk(rotation: ChunkRotation, { value, position, chunk, partner, inverse, whole }: { value: string; position: string; chunk: string; partner: (chunk: string) => string; inverse: boolean; whole: boolean }): string {
  const { dims, interleaved } = rotation;
  const half = dims / 8;
  const [minus, plus] = inverse ? ["+", "-"] : ["-", "+"];
  const turn = (turned: string) => `${value} = ${whole ? turned : `select(${value}, ${turned}, ${chunk} < ${dims / 4}u)`};`;
  if (interleaved) {
    return `{ let at = min(${chunk}, ${dims / 4 - 1}u);
    ${anglesOf(rotation, position, "at")}
    let a = ${value}.xz; let b = ${value}.yw;
    let first = a * cosine ${minus} b * sine; let second = b * cosine ${plus} a * sine;
    ${turn("vec4f(first.x, second.x, first.y, second.y)")} }`;
  }
  return `{ let upper = ${chunk} >= ${half}u;
    let other = select(${chunk} + ${half}u, ${chunk} - ${half}u, upper);
    let at = min(min(${chunk}, other), ${half - 1}u);
    ${anglesOf(rotation, position, "at")}
    ${turn(`${value} * cosine + ${partner("other")} * select(${inverse ? "sine" : "-sine"}, ${inverse ? "-sine" : "sine"}, upper)`)} }`;
}
