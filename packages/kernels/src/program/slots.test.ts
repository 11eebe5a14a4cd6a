import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assignSlots } from "./slots.ts";

const request = fc.record({ bytes: fc.integer({ min: 1, max: 1000 }), first: fc.nat(20), length: fc.nat(8) });

describe("assignSlots", () => {
  it("never lets two overlapping lives share a slot, and no tenant outgrows its slot", () => {
    fc.assert(
      fc.property(fc.array(request, { maxLength: 40 }), (items) => {
        const requests = items.map(({ bytes, first, length }) => ({ bytes, life: { first, last: first + length } }));
        const { slots, slotOf } = assignSlots(requests);
        requests.forEach((a, i) => {
          expect(slots[slotOf[i]!]).toBeGreaterThanOrEqual(a.bytes);
          requests.forEach((b, j) => {
            const overlap = a.life.first <= b.life.last && b.life.first <= a.life.last;
            if (i < j && overlap) expect(slotOf[i]).not.toBe(slotOf[j]);
          });
        });
        expect([...slots].sort((a, b) => b - a)).toEqual(slots);
      }),
    );
  });

  it("reuses what is dead: a chain needs two buffers however long it is", () => {
    const chain = Array.from({ length: 50 }, (_, i) => ({ bytes: 64, life: { first: i, last: i + 1 } }));
    expect(assignSlots(chain).slots).toEqual([64, 64]);
  });

  it("leaves out what has a place already", () => {
    expect(assignSlots([null, { bytes: 16, life: { first: 0, last: 0 } }])).toEqual({ slots: [16], slotOf: [null, 0] });
  });
});
