/** What a caller says: an option that is there but undefined says nothing, and hides no default. */
export const said = <T extends object>(options: T): T => Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
