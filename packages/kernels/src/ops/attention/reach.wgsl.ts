import { INFO_WORDS } from "./keys.ts";
import { keysOfBatch, type AttentionVariant } from "./variant.wgsl.ts";

// Which keys queries see, and which queries see keys. Lengths are below 2^28, so that sums with FAR are i32.

/** Statements: the workgroup's head and the key head that it shares, and the range of keys [begin, end) that any of its queries may see. */
export const keysOfWorkgroup = (variant: Pick<AttentionVariant, "info">, tileRows: number): string => `
  let b = part / p.heads;
  let h = part % p.heads;
  let keyHead = h / (p.heads / p.keyHeads);
  ${keysOfBatch(variant)}
  let begin = max(${variant.info ? "i32(info[flags])" : "0"}, i32(tile * ${tileRows}u) + shift - p.before);
  let end = min(${variant.info ? "i32(info[flags + 1u])" : "i32(p.keys)"}, i32((tile + 1u) * ${tileRows}u) + shift + p.after);`;

/** Statement: a bit for each key of a tile that begins at `tileBegin`. */
export const keysOfTile = ({ info }: Pick<AttentionVariant, "info">): string => (info ? `let bits = info[flags + ${INFO_WORDS}u + u32(tileBegin) / 32u];` : "");

/** Statements: query r of this lane, the first key that it sees, and how many from there on. */
export const reachOfQuery = (r: number, row: string): string => `let i${r} = min(${row}, p.queries - 1u);
  let low${r} = u32(max(0, i32(i${r}) + shift - p.before));
  let reach${r} = u32(max(0, min(i32(p.keys) - 1, i32(i${r}) + shift + p.after) - i32(low${r}) + 1));`;

/** Statements: the workgroup's key head, and the range of queries [begin, end) that may see any of its keys. */
export const queriesOfWorkgroup = (variant: Pick<AttentionVariant, "info">, tileRows: number): string => `
  let b = part / p.keyHeads;
  let keyHead = part % p.keyHeads;
  let serves = p.heads / p.keyHeads;
  ${keysOfBatch(variant)}
  let tileFirst = tile * ${tileRows}u;
  ${variant.info ? `let padding = tileFirst >= info[flags + 1u] || tileFirst + ${tileRows}u <= info[flags];` : "let padding = false;"}
  let begin = max(0, i32(tileFirst) - shift - p.after);
  let end = select(min(i32(p.queries), i32(tileFirst) + ${tileRows} - shift + p.before), 0, padding);`;

/** Statements: key r of this lane, the first query that sees it, and how many from there on. */
export const reachOfKey = (r: number, row: string, isKey: string): string => `let j${r} = min(${row}, p.keys - 1u);
  let low${r} = u32(max(0, i32(j${r}) - shift - p.after));
  let reach${r} = select(0u, u32(max(0, min(i32(p.queries) - 1, i32(j${r}) - shift + p.before) - i32(low${r}) + 1)), ${isKey});`;
