import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { isInstalled, stampInstallation } from "./install-stamp.mjs";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "heddle-stamp-"));
  writeFileSync(join(folder, "pnpm-lock.yaml"), "a");
  writeFileSync(join(folder, "pnpm-workspace.yaml"), "b");
});
afterEach(() => rmSync(folder, { recursive: true }));

it("asks for an installation in a fresh clone and after an interrupted one", () => {
  expect(isInstalled(folder)).toBe(false);
  mkdirSync(join(folder, "node_modules"));
  expect(isInstalled(folder)).toBe(false);
});

it("asks for none until the lockfile changes", () => {
  mkdirSync(join(folder, "node_modules"));
  stampInstallation(folder);
  expect(isInstalled(folder)).toBe(true);
  writeFileSync(join(folder, "pnpm-lock.yaml"), "c");
  expect(isInstalled(folder)).toBe(false);
});
