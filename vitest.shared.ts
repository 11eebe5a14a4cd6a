import { join } from "node:path";
import { defineConfig, type ViteUserConfig } from "vitest/config";

/** Packages resolve to their sources, so that tests need no build. See docs/decisions/0001-source-condition.md. */
const sourceCondition = "@heddle/source";

/** Node tests of one package. Files run one after another; `npm test` runs the kernels' beside all others, which two cores can bear. */
export function nodeTests(name: string, exclude: readonly string[] = []): ViteUserConfig {
  const reportFolder = process.env["HEDDLE_TEST_REPORTS"];
  return defineConfig({
    resolve: { conditions: [sourceCondition, "module", "node", "development|production"] },
    ssr: { resolve: { conditions: [sourceCondition, "module", "node", "development|production"] } },
    test: {
      name,
      environment: "node",
      // What someone measured on this machine decides no test.
      env: { HEDDLE_TUNE: "off" },
      include: ["**/*.test.ts"],
      exclude: ["**/node_modules/**", "**/dist/**", "**/*.browser.test.ts", ...exclude],
      pool: "forks",
      fileParallelism: false,
      maxWorkers: 1,
      // Two processes test at a time, and may wait for each other.
      testTimeout: 120_000,
      hookTimeout: 120_000,
      passWithNoTests: true,
      reporters: reportFolder
        ? ["default", ["json", { outputFile: join(reportFolder, `${name}.json`) }]]
        : ["default"],
    },
  });
}

/** Tests of one app's page in a real Chromium, which computes in software. */
export function pageTests(app: string, patience: Pick<NonNullable<ViteUserConfig["test"]>, "hookTimeout" | "expect"> = {}): ViteUserConfig {
  const base = nodeTests(`${app}-page`);
  return { ...base, test: { ...base.test, include: ["**/*.page.test.ts"], exclude: ["**/node_modules/**"], testTimeout: 240_000, ...patience } };
}
