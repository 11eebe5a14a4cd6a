import { describe, expect, it } from "vitest";
import { napping } from "./polite-wait.ts";
import type { AdapterProfile } from "./profile.ts";

const software = { kind: "software" } as AdapterProfile;
const after = (ms: number, fail?: Error) => new Promise<number>((resolve, reject) => setTimeout(() => (fail ? reject(fail) : resolve(ms)), ms));

describe("napping", () => {
  it("gives what the promise gives, be it an error", async () => {
    await expect(napping(software, Promise.resolve(7))).resolves.toBe(7);
    await expect(napping(software, after(5))).resolves.toBe(5);
    await expect(napping(software, Promise.reject(new Error("lost")))).rejects.toThrow("lost");
    await expect(napping(software, after(5, new Error("lost later")))).rejects.toThrow("lost later");
  });

  it("turns the event loop a few thousand times a second, not as fast as it can", async () => {
    const startMs = performance.now();
    let turns = 0;
    let counting = true;
    const count = () => {
      turns++;
      if (counting) setImmediate(count);
    };
    setImmediate(count);
    await napping(software, after(40));
    counting = false;
    expect(turns).toBeGreaterThan(3);
    expect(turns).toBeLessThan((performance.now() - startMs) / 0.2 + 3);
  });

  it("leaves a real GPU's promises alone", () => {
    const promise = Promise.resolve(1);
    return expect(napping({ kind: "discrete" } as AdapterProfile, promise)).resolves.toBe(1);
  });
});
