import { afterAll, describe, expect, it } from "vitest";
import { openGpu } from "../device/gpu.ts";
import { Arena } from "./arena.ts";
import { BufferPool } from "./pool.ts";
import { BufferUsage } from "./usage.ts";

const gpu = await openGpu();
afterAll(() => gpu.dispose());
const options = { alignment: 256, usage: BufferUsage.STORAGE };
const requests = (...sizes: number[]) => sizes.map((sizeBytes, i) => ({ label: `part-${i}`, sizeBytes }));

describe("Arena", () => {
  it("lays parts one after another on the alignment, and their sizes are its size", () => {
    const pool = new BufferPool(gpu);
    const parts = Arena.allocate(pool, requests(16, 256, 272, 32), options);
    expect(parts.map(({ offsetBytes }) => offsetBytes)).toEqual([0, 256, 512, 1024]);
    expect(new Set(parts.map(({ arena }) => arena.buffer)).size).toBe(1);
    expect(pool.currentBytes).toBe(parts.reduce((total, { sizeBytes }) => total + sizeBytes, 0));
    expect(pool.liveBuffers()).toEqual([{ label: "part-0 … part-3", sizeBytes: 1280 }]);
    pool.dispose();
  });

  it("gives a part alone no more than it asks for", () => {
    const pool = new BufferPool(gpu);
    const [part] = Arena.allocate(pool, requests(48), options);
    expect([part!.offsetBytes, part!.sizeBytes, pool.currentBytes]).toEqual([0, 48, 48]);
    pool.dispose();
  });

  it("is freed with its last part, whichever that is", () => {
    const pool = new BufferPool(gpu);
    const [a, b, c] = Arena.allocate(pool, requests(16, 16, 16), options);
    for (const part of [b, a]) {
      part!.release();
      expect(pool.currentBytes).toBe(768);
    }
    c!.release();
    expect(pool.currentBytes).toBe(0);
  });

  it("begins another buffer where one would grow too large, and allocates nothing for nothing", () => {
    const pool = new BufferPool(gpu);
    const parts = Arena.allocate(pool, requests(256, 256, 1024, 16, 300), { ...options, maxBytes: 768 });
    expect(parts.map(({ offsetBytes }) => offsetBytes)).toEqual([0, 256, 0, 0, 256]);
    expect(pool.liveBuffers().map(({ sizeBytes }) => sizeBytes)).toEqual([512, 1024, 768]);
    expect(Arena.allocate(pool, [], options)).toEqual([]);
    pool.dispose();
  });

  it("holds nothing when a part cannot be had", () => {
    const pool = new BufferPool(gpu);
    expect(() => Arena.allocate(pool, requests(256, gpu.profile.maxBufferSize + 256), options)).toThrow("this adapter allows");
    expect(pool.currentBytes).toBe(0);
  });
});
