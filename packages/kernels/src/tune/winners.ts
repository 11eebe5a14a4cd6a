import type { AdapterProfile } from "../device/profile.ts";
import { Remembered } from "../device/remembered/remembered.ts";
import { designsOf, type Design, type Designs, type Site } from "../program/design.ts";
import type { Op } from "../program/op.ts";
import { siteCommands } from "./site-program.ts";

/** The fastest design of a bucket, as it is kept. */
export interface Winner {
  /** Its name: what it is, the op says. */
  readonly design: string;
  /** The default's time by the winner's; 1 where the default won. */
  readonly speedup: number;
}

/** Measured designs where there are some, else the shipped ones. */
export class Winners implements Designs {
  /** Keys by what can be known of them without lowering anything. */
  private readonly cheapKeys = new Set<string>();
  private readonly hashes = new Map<Op, Map<string, string>>();

  private constructor(
    private readonly adapter: AdapterProfile,
    private readonly remembered: Remembered<Winner>,
    private readonly known: ReadonlyMap<string, Winner>,
  ) {
    for (const key of known.keys()) this.cheapKeys.add(withoutHash(key));
  }

  static async load(adapter: AdapterProfile, remembered: Remembered<Winner> = Remembered.named("kernel-designs", parseWinner)): Promise<Winners> {
    return new Winners(adapter, remembered, await remembered.entries());
  }

  of(site: Site): Design {
    const designs = designsOf(site, this.adapter);
    const winner = this.winner(site);
    return designs.find(({ name }) => name === winner?.design) ?? designs[0]!;
  }

  /** Undefined where this site's bucket was not measured with these kernels on this adapter. */
  winner(site: Site): Winner | undefined {
    return this.cheapKeys.has(this.cheapKeyOf(site)) ? this.known.get(this.keyOf(site)) : undefined;
  }

  async keep(found: readonly (readonly [Site, Winner])[]): Promise<void> {
    if (found.length === 0) return;
    for (const [site] of found) this.cheapKeys.add(this.cheapKeyOf(site));
    await this.remembered.keep(found.map(([site, winner]) => [this.keyOf(site), winner]));
  }

  /** Adapter, driver, op, bucket and the texts of all candidates: where one of them changes, nothing is known. */
  keyOf(site: Site): string {
    return `${this.cheapKeyOf(site)} | ${this.hashOf(site)}`;
  }

  private cheapKeyOf(site: Site): string {
    const { vendor, architecture, description, subgroupMinSize, subgroupMaxSize } = this.adapter;
    return [vendor, architecture, description, `subgroups ${subgroupMinSize}-${subgroupMaxSize}`, bucketOf(site)].join(" | ");
  }

  private hashOf(site: Site): string {
    const ofOp = this.hashes.get(site.op) ?? new Map<string, string>();
    this.hashes.set(site.op, ofOp);
    const id = JSON.stringify([site.inputs, site.attributes, site.outputs.length]);
    let hash = ofOp.get(id);
    if (hash === undefined) {
      hash = hashText(designsOf(site, this.adapter).map((design) => [design.name, ...siteCommands(site, this.adapter, design).map((command) => (command.kind === "dispatch" ? command.kernel.code : command.kind))].join("\n")).join("\n"));
      ofOp.set(id, hash);
    }
    return hash;
  }
}

export function bucketOf({ op, inputs, attributes }: Site): string {
  return `${op.name} ${op.tunable!.bucket(inputs, attributes)}`;
}

const withoutHash = (key: string) => key.slice(0, key.lastIndexOf(" | "));

export function parseWinner(value: unknown): Winner | undefined {
  const { design, speedup } = (value ?? {}) as Partial<Winner>;
  return typeof design === "string" && typeof speedup === "number" ? { design, speedup } : undefined;
}

/** FNV-1a of 2 × 32 bits: fast, and no one gains from a collision here. */
function hashText(text: string): string {
  let [a, b] = [0x811c9dc5, 0x9747b28c];
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    a = Math.imul(a ^ unit, 0x01000193);
    b = Math.imul(b ^ unit, 0x85ebca6b);
  }
  return [a, b].map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
}
