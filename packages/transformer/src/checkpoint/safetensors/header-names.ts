/**
 * The first name that occurs twice in one object of `json`, at the top level or one below; undefined when there is
 * none. `JSON.parse` keeps the last of two equal names without a word, so two readers of one file could disagree
 * about what a tensor is. `json` must already have been parsed once: its validity is not checked here.
 */
export function findDuplicateName(json: string): string | undefined {
  const scopes: (Set<string> | null)[] = []; // one per open bracket; null for arrays
  let at = 0;
  while (at < json.length) {
    const char = json[at]!;
    if (char === '"') {
      const end = endOfString(json, at);
      const scope = scopes.at(-1);
      if (scope && isFollowedByColon(json, end)) {
        const name = JSON.parse(json.slice(at, end)) as string;
        if (scope.has(name)) return name;
        scope.add(name);
      }
      at = end;
      continue;
    }
    if (char === "{") scopes.push(new Set());
    else if (char === "[") scopes.push(null);
    else if (char === "}" || char === "]") scopes.pop();
    at++;
  }
  return undefined;
}

function endOfString(json: string, start: number): number {
  let at = start + 1;
  while (json[at] !== '"') at += json[at] === "\\" ? 2 : 1;
  return at + 1;
}

function isFollowedByColon(json: string, at: number): boolean {
  while (json[at] === " " || json[at] === "\n" || json[at] === "\r" || json[at] === "\t") at++;
  return json[at] === ":";
}
