import type { AdapterProfile } from "../device/profile.ts";
import type { Op } from "./op.ts";
import type { TensorType } from "./types.ts";

/** One way to lower a node: plain JSON with a name for people, such as `quad/16x8`. Names of one node's designs differ. */
export interface Design {
  readonly name: string;
  /** What its results may be off by, relative to the largest of them or to 1, where it rounds more than sums in f32 do. */
  readonly tolerance?: number;
}

/** What an op with several lowerings says about them. All give the same results, to rounding. */
export interface Tunable<A, D extends Design = Design> {
  /** Nodes of one bucket share their fastest design: sizes to a power of two, say. */
  bucket(inputs: readonly TensorType[], attributes: A): string;
  /** Four to eight that the adapter can run, the shipped default of its class first. */
  designs(adapter: AdapterProfile, inputs: readonly TensorType[], attributes: A): readonly D[];
  /** The plainest design: what the others are held against where the reference interpreter would take too long. */
  readonly naive: D;
}

/** A node as far as its lowering goes. */
export interface Site {
  readonly op: Op;
  readonly inputs: readonly TensorType[];
  readonly attributes: object;
  /** Those that get memory. */
  readonly outputs: readonly TensorType[];
}

/** Gives the planner its designs, without measuring: a plan is made synchronously. */
export interface Designs {
  /** For a site whose op is tunable. */
  of(site: Site, adapter: AdapterProfile): Design;
}

export function designsOf({ op, inputs, attributes }: Site, adapter: AdapterProfile): readonly Design[] {
  return op.tunable!.designs(adapter, inputs, attributes);
}

/** The default of each adapter's class. */
export const shippedDesigns: Designs = { of: (site, adapter) => designsOf(site, adapter)[0]! };
