import { describe, expect, it } from "vitest";
import { FUZZ_READERS, fuzz } from "../index.ts";

// A few cases of each reader with every test run; `npm run fuzz -- --cases 1000000` for many, in processes with a bounded heap.
const CASES = Number(process.env["HEDDLE_FUZZ"] ?? 300);

describe("damaged files", () => {
  it.each(FUZZ_READERS)("of %s are refused or read, quickly and in little memory", async (name) => {
    const { outcomes } = await fuzz(name, { seed: 1, count: CASES });
    // The damage reaches most of the checks, and does not always matter.
    expect(outcomes.size).toBeGreaterThan(name === "safetensors" ? 6 : 1);
    expect(outcomes.get("read")).toBeGreaterThan(0);
  });
});
