import { HeddleError } from "@heddle/kernels";

/** Names of the columns that say who touched what, when, and how. */
export interface InteractionColumns {
  readonly user: string;
  readonly item: string;
  readonly time?: string;
  readonly event?: string;
  readonly weight?: string;
  readonly rating?: string;
}

type Role = keyof InteractionColumns;

/** As people name them, the surest first; compared without case, spaces, signs, and RecBole's ":token". */
const USUAL_NAMES: Readonly<Record<Role, readonly string[]>> = {
  user: ["user", "userid", "useridx", "uid", "username", "customer", "customerid", "visitor", "visitorid", "reviewer", "reviewerid", "member", "memberid", "account", "accountid", "client", "clientid", "session", "sessionid"],
  item: ["item", "itemid", "itemidx", "iid", "product", "productid", "asin", "parentasin", "sku", "article", "articleid", "movie", "movieid", "track", "trackid", "song", "songid", "book", "bookid", "isbn", "news", "newsid", "content", "contentid"],
  time: ["time", "timestamp", "ts", "datetime", "date", "eventtime", "createdat", "unixreviewtime", "unixtime", "reviewtime"],
  event: ["event", "eventtype", "eventname", "action", "actiontype", "behavior", "behaviour", "behaviortype"],
  weight: ["weight", "strength", "confidence"],
  rating: ["rating", "stars", "overall"],
};

/**
 * Those that the caller names, and for the rest those with a usual name; user and item must be found.
 * Error: COLUMN_MISSING with the columns there are.
 */
export function findColumns(file: string, columns: readonly string[], given: Partial<InteractionColumns> = {}): InteractionColumns {
  const found: Partial<Record<Role, string>> = {};
  for (const role of Object.keys(USUAL_NAMES) as Role[]) {
    const name = given[role] ?? usualColumn(columns, role);
    if (name === undefined) continue;
    if (!columns.includes(name)) throw missing(file, columns, `column ${JSON.stringify(name)}, named as the ${role} column`, role);
    const taken = (Object.keys(found) as Role[]).find((other) => found[other] === name);
    if (taken !== undefined) throw new HeddleError("INVALID_ARGUMENT", `[${file}] the column ${JSON.stringify(name)} cannot be both the ${taken} and the ${role} column: name another one for either`);
    found[role] = name;
  }
  const { user, item } = found;
  if (user === undefined) throw missing(file, columns, 'column with a usual name for the user (such as "user_id")', "user");
  if (item === undefined) throw missing(file, columns, 'column with a usual name for the item (such as "item_id")', "item");
  return { ...found, user, item };
}

/** The column with the items' ids, named or by a usual name. Error: COLUMN_MISSING with the columns there are. */
export function findItemColumn(file: string, columns: readonly string[], given?: string): string {
  const name = given ?? usualColumn(columns, "item") ?? columns.find((column) => plain(column) === "id");
  if (name !== undefined && columns.includes(name)) return name;
  throw new HeddleError("COLUMN_MISSING", `[${file}] has no ${given === undefined ? 'column with a usual name for the item (such as "item_id")' : `column ${JSON.stringify(given)}, named as the item column`}; its columns are ${columns.map((column) => JSON.stringify(column)).join(", ")}: pass item: "…" with one of them, and check that the first line names the columns`);
}

/** Whether a header names a user and an item. */
export function hasUsualColumns(columns: readonly string[]): boolean {
  return usualColumn(columns, "user") !== undefined && usualColumn(columns, "item") !== undefined;
}

function usualColumn(columns: readonly string[], role: Role): string | undefined {
  for (const usual of USUAL_NAMES[role]) {
    const found = columns.find((column) => plain(column) === usual);
    if (found !== undefined) return found;
  }
  return undefined;
}

function plain(column: string): string {
  return column.replace(/:\w+$/, "").toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
}

function missing(file: string, columns: readonly string[], what: string, role: Role): HeddleError {
  return new HeddleError("COLUMN_MISSING", `[${file}] has no ${what}; its columns are ${columns.map((column) => JSON.stringify(column)).join(", ")}: pass columns: { ${role}: "…" } with one of them, and check that the first line names the columns`);
}
