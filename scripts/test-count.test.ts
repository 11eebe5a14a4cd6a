import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { closingLine, countTests } from "./test-count.mjs";

const folder = mkdtempSync(join(tmpdir(), "heddle-count-"));
afterAll(() => rmSync(folder, { recursive: true }));

const file = (name: string, status: string, ...tests: string[]) => ({
  name,
  status,
  assertionResults: tests.map((each, i) => ({ status: each, fullName: `test ${i}` })),
});

it("adds up all reports, and counts a file that fails before its first test", () => {
  const write = (name: string, ...testResults: object[]) =>
    writeFileSync(join(folder, name), JSON.stringify({ testResults }));
  write("kernels.json", file("a", "passed", "passed", "passed"), file("b", "failed", "passed", "failed"));
  write("tasks.json", file("c", "failed"), file("d", "passed", "passed", "skipped"));
  expect(countTests(folder)).toEqual({
    passed: 4,
    failed: 2,
    skipped: 1,
    failures: ["b: test 1", "c: the file itself"],
  });
});

it("counts nothing where there is no report", () => {
  expect(countTests(join(folder, "missing"))).toEqual({ passed: 0, failed: 0, skipped: 0, failures: [] });
});

it("closes with the line that CI reads", () => {
  expect(closingLine({ passed: 12, failed: 0, skipped: 0 })).toBe("12 passed, 0 failed");
  expect(closingLine({ passed: 12, failed: 1, skipped: 2 })).toBe("12 passed, 1 failed, 2 skipped");
});
