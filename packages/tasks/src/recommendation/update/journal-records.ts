import { HeddleError } from "@heddle/kernels";
import { z } from "zod";

/** Which weights a journal goes on from: its first line. */
const beginning = z.object({ type: z.literal("journal"), version: z.literal(1), architecture: z.string(), weights: z.string() });

/** Accepted events of one call: user, item, milliseconds since 1970. */
const events = z.object({ type: z.literal("events"), events: z.array(z.tuple([z.string(), z.string(), z.number().nullable()])) });

/** A round of learning ended; `left` accepted events wait on. */
const round = z.object({ type: z.literal("round"), accepted: z.boolean(), generation: z.int().min(0), left: z.int().min(0) });

/** The weights of an earlier generation serve again. */
const rollback = z.object({ type: z.literal("rollback"), generation: z.int().min(0) });

const schema = z.discriminatedUnion("type", [beginning, events, round, rollback]);

/** A line of a journal. */
export type JournalRecord = z.output<typeof schema>;
export type JournalBeginning = z.output<typeof beginning>;

/** Undefined for what is no record. */
export function parseRecord(line: string): JournalRecord | undefined {
  try {
    return schema.safeParse(JSON.parse(line)).data;
  } catch {
    return undefined;
  }
}

/** The generations that a journal's records end with: which one serves, and which one it can go back to, the same where none. */
export function generationsOf(records: readonly JournalRecord[]): { current: number; previous: number; last: number } {
  let [current, previous, last] = [0, 0, 0];
  for (const record of records) {
    if (record.type === "round" && record.accepted) [previous, current, last] = [current, record.generation, Math.max(last, record.generation)];
    if (record.type === "rollback") previous = current = record.generation;
  }
  return { current, previous, last };
}

/** Throws CHECKPOINT_MISMATCH where a journal began with another model. */
export function checkBeginning(found: JournalRecord | undefined, wanted: JournalBeginning, path: string): void {
  if (found?.type !== "journal") throw new HeddleError("CHECKPOINT_INVALID", `[${path}] is no journal of a recommender's updates: choose another folder`);
  if (found.architecture === wanted.architecture && found.weights === wanted.weights) return;
  throw new HeddleError("CHECKPOINT_MISMATCH", `[${path}] goes on from other weights (${found.architecture} ${found.weights}, now ${wanted.architecture} ${wanted.weights}): open it with the model that it began with, or begin a new folder after training anew`);
}
