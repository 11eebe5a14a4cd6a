/** First and last step that use some memory, both included. */
export interface Lifetime {
  first: number;
  last: number;
}

interface Slot {
  bytes: number;
  /** Last step of the latest tenant. */
  busyUntil: number;
}

/**
 * Gives tensors to a few buffers so that two whose lives overlap never share one. Greedy in order of birth, of those born
 * together the largest first: the smallest free buffer that fits, else the largest free one, grown. Separate buffers rather
 * than ranges of one, because WebGPU counts a buffer as one resource: reading one range and writing another in the same
 * dispatch is an error.
 *
 * @param requests null where a storage needs no slot
 */
export function assignSlots(requests: readonly ({ bytes: number; life: Lifetime } | null)[]): { slots: number[]; slotOf: (number | null)[] } {
  const slots: Slot[] = [];
  const chosen = new Array<Slot | null>(requests.length).fill(null);
  const order = requests.map((_, i) => i).filter((i) => requests[i] !== null).sort((a, b) => requests[a]!.life.first - requests[b]!.life.first || requests[b]!.bytes - requests[a]!.bytes || a - b);
  for (const i of order) {
    const { bytes, life } = requests[i]!;
    const free = slots.filter((slot) => slot.busyUntil < life.first).sort((a, b) => a.bytes - b.bytes);
    let slot = free.find((candidate) => candidate.bytes >= bytes) ?? free.at(-1);
    if (!slot) {
      slot = { bytes, busyUntil: 0 };
      slots.push(slot);
    }
    slot.bytes = Math.max(slot.bytes, bytes);
    slot.busyUntil = life.last;
    chosen[i] = slot;
  }
  // Largest first, so that the plans of one device can share a workspace slot by slot.
  slots.sort((a, b) => b.bytes - a.bytes);
  return { slots: slots.map((slot) => slot.bytes), slotOf: chosen.map((slot) => (slot ? slots.indexOf(slot) : null)) };
}
