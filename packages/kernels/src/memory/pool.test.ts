import { afterAll, describe, expect, it } from "vitest";
import { openGpu } from "../device/gpu.ts";
import { HeddleError } from "../errors.ts";
import { BufferPool, type BufferSource } from "./pool.ts";
import { BufferUsage } from "./usage.ts";

const gpu = await openGpu();
afterAll(() => gpu.dispose());
const { STORAGE, COPY_DST } = BufferUsage;

const thrown = (work: () => unknown): HeddleError => {
  try {
    work();
  } catch (error) {
    if (HeddleError.isInstance(error)) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
};

describe("BufferPool", () => {
  it("counts exactly what it hands out", () => {
    const pool = new BufferPool(gpu);
    const sizes = [0, 1, 16, 17, 1000, 4096];
    const expected = [16, 16, 16, 32, 1008, 4096];
    const buffers = sizes.map((bytes) => pool.allocate("x", bytes, STORAGE));
    expect(buffers.map((buffer) => buffer.sizeBytes)).toEqual(expected);
    expect(buffers.map(({ buffer }) => buffer.size)).toEqual(expected);
    expect(pool.currentBytes).toBe(expected.reduce((a, b) => a + b));
    pool.dispose();
    expect(pool.currentBytes).toBe(0);
  });

  it("remembers the peak until it is reset", () => {
    const pool = new BufferPool(gpu);
    const a = pool.allocate("a", 1024, STORAGE);
    const b = pool.allocate("b", 512, STORAGE);
    a.release();
    pool.allocate("c", 256, STORAGE);
    expect([pool.currentBytes, pool.peakBytes]).toEqual([768, 1536]);
    pool.resetPeak();
    expect(pool.peakBytes).toBe(768);
    b.release();
    expect([pool.currentBytes, pool.peakBytes]).toEqual([256, 768]);
    pool.dispose();
  });

  it("takes a buffer off the count once, however often it is released", () => {
    const pool = new BufferPool(gpu);
    const kept = pool.allocate("kept", 64, STORAGE);
    const gone = pool.allocate("gone", 64, STORAGE);
    gone.release();
    gone.release();
    expect(pool.currentBytes).toBe(64);
    expect(pool.liveBuffers()).toEqual([{ label: "kept", sizeBytes: 64 }]);
    kept.release();
    expect(pool.liveBuffers()).toEqual([]);
  });

  it("sums bytes by label", () => {
    const pool = new BufferPool(gpu);
    for (const [label, bytes] of [["w", 32], ["w", 64], ["x", 16]] as const) pool.allocate(label, bytes, STORAGE);
    expect([...pool.bytesByLabel()]).toEqual([["w", 96], ["x", 16]]);
    pool.dispose();
  });

  it("frees what a scope allocated, also when its block throws", () => {
    const pool = new BufferPool(gpu);
    const outer = pool.allocate("outer", 16, STORAGE);
    expect(() => {
      using scope = pool.scope();
      scope.allocate("inner", 128, STORAGE);
      scope.allocate("inner", 128, STORAGE);
      expect(pool.currentBytes).toBe(272);
      throw new Error("in the block");
    }).toThrow("in the block");
    expect(pool.liveBuffers()).toEqual([{ label: "outer", sizeBytes: 16 }]);
    outer.release();
  });

  it("refuses what the adapter cannot hold, before the driver sees it", () => {
    const pool = new BufferPool(gpu);
    const tooLarge = thrown(() => pool.allocate("huge", gpu.profile.maxBufferSize + 1, COPY_DST));
    expect(tooLarge.code).toBe("LIMIT_EXCEEDED");
    expect(tooLarge.message).toMatch(/^\[huge\] needs a buffer of .*MiB.*smaller batch/);
    for (const bytes of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) expect(thrown(() => pool.allocate("bad", bytes, STORAGE)).code).toBe("INVALID_ARGUMENT");
    expect(pool.currentBytes).toBe(0);
  });

  it("allocates nothing after it was disposed of", () => {
    const pool = new BufferPool(gpu);
    const buffer = pool.allocate("x", 16, STORAGE);
    pool.dispose();
    buffer.release();
    expect(pool.currentBytes).toBe(0);
    expect(thrown(() => pool.allocate("y", 16, STORAGE)).code).toBe("DISPOSED");
  });

  it("names label, size and what is held when it allocates, for the message of an out-of-memory error", () => {
    const labels: string[] = [];
    const source: BufferSource = {
      device: gpu.device,
      profile: gpu.profile,
      isLost: false,
      assertUsable: () => {},
      withDeferredErrors: (label, work) => {
        labels.push(label);
        return work();
      },
    };
    const pool = new BufferPool(source);
    pool.allocate("first", 2 * 1024 * 1024, STORAGE);
    pool.allocate("second", 512, STORAGE);
    expect(labels).toEqual(["first (2.0 MiB, 0 bytes held before)", "second (512 bytes, 2.0 MiB held before)"]);
    pool.dispose();
  });
});
