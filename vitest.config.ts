import { defineConfig } from "vitest/config";

/** `npx vitest run PATH` in the root finds the project that PATH belongs to. */
export default defineConfig({
  test: {
    projects: ["packages/*", "apps/*", "benchmarks", "scripts"],
    fileParallelism: false,
    maxWorkers: 1,
  },
});
