import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

/**
 * Adds up vitest's JSON reports of a folder. A file that fails before its first test (a bad import, a throwing
 * `beforeAll`) has no failed test in it, and counts as one.
 *
 * @param {string} folder
 * @returns {{ passed: number, failed: number, skipped: number, failures: string[] }}
 */
export function countTests(folder) {
  const total = { passed: 0, failed: 0, skipped: 0, failures: [] };
  for (const name of existsSync(folder) ? readdirSync(folder).sort() : []) {
    const report = JSON.parse(readFileSync(join(folder, name), "utf8"));
    for (const file of report.testResults) {
      const failedHere = file.assertionResults.filter(({ status }) => status === "failed");
      total.passed += file.assertionResults.filter(({ status }) => status === "passed").length;
      total.skipped += file.assertionResults.filter(({ status }) => !["passed", "failed"].includes(status)).length;
      total.failed += failedHere.length;
      total.failures.push(...failedHere.map(({ fullName }) => `${file.name}: ${fullName}`));
      if (file.status === "failed" && failedHere.length === 0) {
        total.failed += 1;
        total.failures.push(`${file.name}: the file itself`);
      }
    }
  }
  return total;
}

/** The closing line that CI reads. */
export function closingLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}
