import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findChromium } from "./find-chromium.mjs";
import { root, runLocal } from "./run.mjs";
import { build, install, main } from "./setup.mjs";
import { closingLine, countTests } from "./test-count.mjs";

const failedSteps = [];

/** Runs one step; its failure is remembered and the others still run. */
async function step(name, body) {
  const start = performance.now();
  console.log(`\n── ${name} ──`);
  let ok = false;
  try {
    ok = (await body()) === 0;
  } catch (error) {
    console.log(error instanceof Error ? error.message : String(error));
  }
  console.log(`${ok ? "ok" : "FAILED"} · ${name} · ${((performance.now() - start) / 1000).toFixed(1)} s`);
  if (!ok) failedSteps.push(name);
}

const turbo = (task, ...args) => ["run", task, "--ui=stream", "--log-prefix=none", "--continue=always", ...args];

/** Packs each package as it would be published and lets publint and attw judge the archive. */
async function checkPublishedPackages(scratch) {
  let worst = 0;
  for (const name of readdirSync(join(root, "packages")).sort()) {
    const cwd = join(root, "packages", name);
    const manifest = JSON.parse(readFileSync(join(cwd, "package.json"), "utf8"));
    const folder = join(scratch, name);
    mkdirSync(folder);
    worst = Math.max(worst, await runLocal("pnpm", ["pack", "--pack-destination", folder], { cwd, output: "on-failure" }));
    const archive = join(folder, readdirSync(folder).find((file) => file.endsWith(".tgz")) ?? "missing.tgz");
    console.log(`${manifest.name}: publint`);
    worst = Math.max(worst, await runLocal("publint", ["--strict", archive], { output: "on-failure" }));
    if (manifest.exports["."]) {
      console.log(`${manifest.name}: attw`);
      worst = Math.max(worst, await runLocal("attw", [archive, "--profile", "esm-only"], { output: "on-failure" }));
    }
  }
  return worst;
}

await main(async () => {
  await install();
  const scratch = mkdtempSync(join(tmpdir(), "heddle-test-"));
  const reports = join(scratch, "reports");
  mkdirSync(reports);
  const env = { HEDDLE_TEST_REPORTS: reports };

  await step("build", async () => (await build(["*"]), 0));
  const chromium = findChromium();
  const steps = [
    ["tests of the kernels", () => runLocal("turbo", turbo("test", "--filter=@heddle/kernels"), { env, output: "at-end" })],
    ["lint (oxlint)", () => runLocal("oxlint", ["--deny-warnings"])],
    ["types (tsc)", () => runLocal("tsc", ["--noEmit"])],
    ["unused code and dependencies (knip)", () => runLocal("knip", [])],
    ["published packages (publint, attw)", () => checkPublishedPackages(scratch)],
    ["bundle sizes (size-limit)", () => runLocal("size-limit", [])],
    ["tests of the scripts and lint rules", () => runLocal("vitest", ["run", "--root", "scripts"], { env })],
    ["tests of the other packages", () => runLocal("turbo", turbo("test", "--filter=!@heddle/kernels", "--concurrency=1"), { env })],
  ];
  if (chromium) {
    steps.push([`tests in a browser (${chromium})`, () => runLocal("vitest", ["run", "--config", "vitest.browser.config.ts"], { env, output: "at-end" })]);
    for (const app of readdirSync(join(root, "apps")).sort()) {
      steps.push([`the page of apps/${app} in a browser`, () => runLocal("vitest", ["run", "--root", `apps/${app}`, "--config", "vitest.page.config.ts"], { env, output: "at-end" })]);
    }
  }
  // Most of the time one core compiles shaders or types while the other waits: two at a time take two thirds of the time of one after the other.
  const takeTurns = async () => {
    for (let next = steps.shift(); next; next = steps.shift()) await step(...next);
  };
  await Promise.all([takeTurns(), takeTurns()]);

  const total = countTests(reports);
  rmSync(scratch, { recursive: true, force: true });
  console.log("");
  for (const failure of total.failures) console.log(`failed: ${failure}`);
  for (const name of failedSteps) console.log(`failed step: ${name}`);
  if (!chromium) console.log("browser tests NOT run: no Chromium found; apt-get install chromium (or set CHROMIUM_PATH)");
  // A step that fails without a failing test (lint, types, a crashed runner) must show in the closing line too.
  if (total.failed === 0) total.failed = failedSteps.length;
  console.log(closingLine(total));
  return total.failed === 0 ? 0 : 1;
});
