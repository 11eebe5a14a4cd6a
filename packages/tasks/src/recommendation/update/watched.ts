/** Whether a user is one of those from whom no update learns, chosen by the id alone: the same in every process. */
export const isWatched = (userId: string, { guardShare, seed }: { readonly guardShare: number; readonly seed: number }): boolean => hash(userId, seed) < guardShare * 2 ** 32;

/** FNV-1a of an id's code units, spread by a last multiplication: the same in every process. */
function hash(id: string, seed: number): number {
  let value = 0x811c9dc5 ^ seed;
  for (let i = 0; i < id.length; i++) value = Math.imul(value ^ id.charCodeAt(i), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
