// A tokenizer.json brings regular expressions of its own, which JavaScript's engine runs by trying. What makes it try for ever
// is refused before anything runs; what is left is done with 200 characters of any text in well under a second.

/** In a row: the fourth would cost the cube of a text's length, from each of its places. */
const MOST_REPETITIONS = 2;
/** Ways of taking optional parts and alternatives in a row, as a power of 2. */
const MOST_CHOICES = 6;
/** A repetition of more than so many is as one without an end. */
const FEW = 16;

/** What a part of a pattern costs at most. */
interface Cost {
  /** Repetitions without an end that follow each other. */
  readonly repetitions: number;
  /** Bits of choice that can be taken back. */
  readonly choices: number;
}

interface Group {
  /** Of the alternatives before the last. */
  readonly alternatives: Cost[];
  /** What each alternative begins with, where that is a letter or sign that stands for itself. */
  readonly firsts: (string | null)[];
  cost: Cost;
  isEmpty: boolean;
}

const NOTHING: Cost = { repetitions: 0, choices: 0 };
const newGroup = (): Group => ({ alternatives: [], firsts: [], cost: NOTHING, isEmpty: true });
const both = (a: Cost, b: Cost): Cost => ({ repetitions: a.repetitions + b.repetitions, choices: a.choices + b.choices });

const GROUP = /\((?:\?(?:[:=!>]|<[=!]|<\w+>|[a-z-]*:))?/y;
const ESCAPE = /\\(?:[pPxu]\{[^}]*\}|[^])/uy;
const QUANTIFIER = /(?:[*+?]|\{(\d*)(,?)(\d*)\})([?+]?)/y;

/**
 * Why matching by a pattern, in Oniguruma's syntax, could take for ever: undefined where it could not. Two things multiply: a
 * repetition of something that can be taken in several ways (Berglund et al. 2014, "Analyzing Catastrophic Backtracking"), and
 * many optional parts in a row.
 */
export function patternProblem(source: string): string | undefined {
  const open: Group[] = [newGroup()];
  for (let at = 0; at < source.length; ) {
    const group = open.at(-1)!;
    const sign = source[at]!;
    let atom: Cost = NOTHING;
    let first: string | null = null;
    if (sign === "(") {
      open.push(newGroup());
      at = end(GROUP, source, at);
      continue;
    } else if (sign === "|") {
      nextAlternative(group);
      at++;
      continue;
    } else if (sign === ")") {
      if (open.length === 1) return "it closes a group that it does not open";
      atom = costOf(open.pop()!);
      at++;
    } else if (sign === "[") {
      at = endOfClass(source, at);
    } else if (sign === "\\") {
      const next = source[at + 1] ?? "";
      if (/[1-9]/.test(next) || /^\\[kg][<']/.test(source.slice(at, at + 3))) return `it looks for what it found before, by \\${next}`;
      // Letters after it mostly stand for classes.
      if (/[rnt]|[^A-Za-z0-9]/.test(next)) first = `\\${next}`;
      at = end(ESCAPE, source, at);
    } else {
      // Whole groups may take no heed of case.
      first = sign === "." ? null : sign.toLowerCase();
      at++;
    }
    const parent = open.at(-1)!;
    if (parent.isEmpty) parent.firsts[parent.alternatives.length] = first;
    parent.isEmpty = false;
    for (let times; (times = quantifierAt(source, at)); at = times.end) {
      const { least, most } = times;
      if (most > 1 && (atom.choices > 0 || atom.repetitions > 0)) return `it repeats ${JSON.stringify(source.slice(Math.max(0, at - 24), times.end))}, which can be read in several ways`;
      if (most !== least) parent.firsts[parent.alternatives.length] = null;
      atom = both(atom, most > FEW && most !== least ? { repetitions: 1, choices: 0 } : { repetitions: 0, choices: Math.log2(most - least + 1) });
    }
    parent.cost = both(parent.cost, atom);
  }
  const { repetitions, choices } = costOf(open[0]!, true);
  if (repetitions > MOST_REPETITIONS) return `it has ${repetitions} repetitions in a row, of at most ${MOST_REPETITIONS}`;
  if (choices > MOST_CHOICES) return `it has too many optional parts in a row, 2^${Math.ceil(choices)} ways to take them`;
  return undefined;
}

function nextAlternative(group: Group): void {
  if (group.isEmpty) group.firsts[group.alternatives.length] = null;
  group.alternatives.push(group.cost);
  group.cost = NOTHING;
  group.isEmpty = true;
}

/** Of the alternatives the dearest. Which one it is need not be tried where each begins with a letter of its own. */
function costOf(group: Group, isWhole = false): Cost {
  nextAlternative(group);
  const { alternatives, firsts } = group;
  const isClear = alternatives.length === 1 || (firsts.every((first) => first !== null) && new Set(firsts).size === firsts.length);
  return {
    repetitions: Math.max(...alternatives.map(({ repetitions }) => repetitions)),
    choices: Math.max(...alternatives.map(({ choices }) => choices)) + (isClear || isWhole ? 0 : Math.log2(alternatives.length)),
  };
}

function end(pattern: RegExp, source: string, at: number): number {
  pattern.lastIndex = at;
  return at + Math.max(1, pattern.exec(source)?.[0].length ?? 1);
}

function quantifierAt(source: string, at: number): { least: number; most: number; end: number } | undefined {
  QUANTIFIER.lastIndex = at;
  const match = QUANTIFIER.exec(source);
  if (!match) return undefined;
  const [text, least = "", comma, most = "", after] = match;
  // Oniguruma reads {2}+ as a repetition of that; every other + after a quantifier changes nothing here.
  const finish = at + text.length - (text.startsWith("{") && after === "+" ? 1 : 0);
  if (text.startsWith("?")) return { least: 0, most: 1, end: finish };
  if (!text.startsWith("{")) return { least: text.startsWith("*") ? 0 : 1, most: Infinity, end: finish };
  if (least === "" && most === "") return undefined;
  return { least: Number(least), most: comma === "" ? Number(least) : most === "" ? Infinity : Number(most), end: finish };
}

/** Classes may stand in classes, and a bracket that comes first stands for itself. */
function endOfClass(source: string, at: number): number {
  let depth = 0;
  for (let i = at; i < source.length; i++) {
    if (source[i] === "\\") i++;
    else if (source[i] === "[") {
      depth++;
      if (source[i + 1] === "^") i++;
      if (source[i + 1] === "]") i++;
    } else if (source[i] === "]" && --depth === 0) return i + 1;
  }
  return source.length;
}
