import type { CaseRandom } from "./random.ts";

// How a valid file is damaged: its bytes, or the tree of its JSON.

/** Up to three changes: a bit, a digit, a number of 32 or 64 bits, an end that is missing, a part that is missing or there twice. */
export function mutateBytes(random: CaseRandom, bytes: Uint8Array, within = bytes.length): Uint8Array<ArrayBuffer> {
  let damaged = Uint8Array.from(bytes);
  for (let changes = 1 + random.below(3); changes > 0 && damaged.length > 0; changes--) {
    const at = random.below(Math.min(within, damaged.length));
    const kind = random.below(8);
    if (kind <= 1) damaged[at]! ^= 1 << random.below(8);
    else if (kind === 2) damaged[at] = 48 + random.below(10);
    else if (kind === 3) damaged[at] = random.below(256);
    else if (kind === 4) damaged.fill(random.pick([0, 1, 127, 255]), at, at + random.pick([4, 8]));
    else if (kind === 5) damaged = damaged.slice(0, at + 1);
    else if (kind === 6) damaged = joined(damaged.subarray(0, at), damaged.subarray(random.below(damaged.length)));
    else damaged = joined(damaged.subarray(0, at), damaged.subarray(Math.min(damaged.length, at + 1 + random.below(16))));
  }
  return damaged;
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** A tree of JSON whose nodes may be changed. */
type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const HOSTILE_KEYS = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "length", "", "0", "type"];
const HOSTILE_VALUES: readonly Json[] = [
  null, true, false, 0, -1, 1, 0.5, 2, 1e6, 2 ** 31, 2 ** 32 - 2, 2 ** 53, -(2 ** 53), 1e308, -1e308, 5e-324,
  "", " ", "0", "constructor", "__proto__", "\u0000", "\ud800", "😀", "x".repeat(5000), [], {}, [[]], [null], { type: "Sequence" },
];
/** Stands for brackets in brackets, which are put in where the text is made: so many that no recursion can write them. */
const NEST = "\u{10ffff}nest";

/** Characters. */
const MOST_COPIED = 1_000_000;

/** Up to three changes in the tree, and now and then in the text. `special` are values that mean something to this reader. */
export function mutateJson(random: CaseRandom, valid: string, special: readonly unknown[] = []): string {
  const root = { file: JSON.parse(valid) as Json };
  for (let changes = 1 + random.below(3); changes > 0; changes--) change(random, root, special);
  let text = JSON.stringify(root.file) ?? "";
  if (text.includes(NEST)) {
    const depth = random.pick([3, 100, 3000, 20_000]);
    text = text.replace(JSON.stringify(NEST), random.oneIn(2) ? `${"[".repeat(depth)}${"]".repeat(depth)}` : `${'{"normalizers":['.repeat(depth)}${"]}".repeat(depth)}`);
  }
  return random.oneIn(8) ? new TextDecoder().decode(mutateBytes(random, new TextEncoder().encode(text))) : text;
}

function change(random: CaseRandom, root: { file: Json }, special: readonly unknown[]): void {
  const [parent, key] = anyPlace(random, root);
  const place = parent as Record<string, Json>;
  const old = place[key]!;
  switch (random.below(8)) {
    case 0:
      if (Array.isArray(parent)) parent.splice(Number(key), 1);
      else if (place !== (root as object)) delete place[key];
      return;
    case 1:
      return define(place, Array.isArray(parent) ? key : random.pick(HOSTILE_KEYS), hostile(random, special));
    case 2: {
      // A part of the file in another place.
      const [from, fromKey] = anyPlace(random, root);
      return define(place, key, structuredClone((from as Record<string, Json>)[fromKey]!));
    }
    case 3:
      return define(place, key, Array.isArray(old) && old.length > 0 ? copies(old[0]!, random.pick([2, 50, 2000])) : [old]);
    case 4:
      if (typeof old === "number") return define(place, key, random.pick([-old, old + 1, old - 1, old * 1e9, old / 3]));
      if (typeof old === "string") return define(place, key, random.pick([`${old}${old}`, old.slice(1), old.toUpperCase(), `${old}\u0000`, old.repeat(20)]));
      return define(place, key, hostile(random, special));
    case 5:
      return define(place, key, random.oneIn(4) ? NEST : { type: "Sequence", normalizers: [old], pretokenizers: [old], decoders: [old], processors: [old] });
    default:
      return define(place, key, hostile(random, special));
  }
}

/** So many, or fewer where the text would grow beyond what a case can be about. Each its own: a change in one is no change in all. */
function copies(value: Json, count: number): Json[] {
  return Array.from({ length: Math.min(count, 1 + Math.floor(MOST_COPIED / JSON.stringify(value).length)) }, () => structuredClone(value));
}

const hostile = (random: CaseRandom, special: readonly unknown[]): Json => structuredClone(special.length > 0 && random.oneIn(2) ? (random.pick(special) as Json) : random.pick(HOSTILE_VALUES));

/** A node of the tree, by what holds it: deep ones about as often as those near the root. */
function anyPlace(random: CaseRandom, root: { file: Json }): [parent: Json[] | { [key: string]: Json }, key: string] {
  let parent: Json[] | { [key: string]: Json } = root;
  let key = "file";
  for (;;) {
    const node: Json = (parent as Record<string, Json>)[key]!;
    if (typeof node !== "object" || node === null || random.oneIn(4)) return [parent, key];
    const keys = Object.keys(node);
    if (keys.length === 0) return [parent, key];
    parent = node;
    key = random.pick(keys);
  }
}

/** `__proto__` too is a key like any other in JSON. */
function define(place: object, key: string, value: Json): void {
  Object.defineProperty(place, key, { value, enumerable: true, configurable: true, writable: true });
}
